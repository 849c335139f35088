"""HAKG for users and items that were never trained, and what histories, attributes and co-users contribute to scores.

A user is the mean of the fused items of a history in every layer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hkjax.models.base import Params
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, KeptEdges
from hkjax.models.hakg.message import message_of
from hkjax.models.hakg.parameters import Gates, HAKGParameters
from hkjax.models.hakg.propagation import Embeddings, dropout_and_normalize, fuse, layer, layer_0
from hkjax.models.hakg.representation import HAKGRepresentation
from hkjax.ops.messages import row_messages
from hkjax.ops.rows import l2_normalize
from hkjax.ops.sparse import spmm
from hkjax.regression import ridge_regression


class Layers(NamedTuple):
    """All layers of all tables.

    Attributes:
        start: layers 0 to L - 1, [L, rows, d] of each table.
        last: layer L.
        entity_length, item_length: lengths of the rows of layers 1 to L before normalisation, [L, items]; None where
            there is no such table.
    """

    start: Embeddings
    last: Embeddings
    entity_length: jax.Array
    item_length: jax.Array | None

    def reached(self) -> Embeddings:
        """The sums of layers 1 to L."""
        return jax.tree.map(lambda x, last: x[1:].sum(0) + last, self.start, self.last)

    def total(self) -> Embeddings:
        """The sums of layers 0 to L."""
        return jax.tree.map(lambda x, last: x.sum(0) + last, self.start, self.last)


def all_layers(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs) -> Layers:
    """Runs the propagation of the whole graph, and keeps its layers."""
    n_items = inputs.item_degree.size

    def advance(x: Embeddings, gates: Gates) -> tuple[Embeddings, tuple[Any, ...]]:
        y = layer(config, p.relation, gates, x, KeptEdges(inputs, 1.0))
        entity_length, item_length = jax.tree.map(lambda x: jnp.linalg.norm(x[:n_items], axis=-1), (y.entity, y.item))
        y = jax.tree.map(lambda table: dropout_and_normalize(config, table, None), y)
        return y, (x, entity_length, item_length)

    last, (start, entity_length, item_length) = jax.lax.scan(advance, layer_0(p), p.gates, length=config.layers)
    return Layers(start, last, entity_length, item_length)


def message_weights(config: HAKGConfig, degree: jax.Array | int, lengths: jax.Array) -> jax.Array:
    """Computes what one message weighs in each layer's mean, after normalisation if any: [L, items]."""
    weight = jnp.broadcast_to(1 / degree, lengths.shape)
    return weight / jnp.maximum(lengths, 1e-12) if config.normalize_layers else weight


class Prepared(NamedTuple):
    """The arrays that fold-in reads, from each of L layers.

    Attributes:
        user: the trained users' own embeddings, layer 0, [users, d].
        map: predicts layer 0 of a new user from the sum of the other layers, [d, d].
        fused: what users aggregate of items in each layer, [L, items, d].
        entity: what each layer starts from, [L, entities, d].
        relation: [2 * relations, d].
        weight: what one edge of an item weighs in each layer's mean, after normalisation if any, [L, items].
        norm: the length of what is scored, that divides it in the score, [items].
    """

    user: jax.Array
    map: jax.Array
    fused: jax.Array
    entity: jax.Array
    relation: jax.Array
    weight: jax.Array
    norm: jax.Array


def prepare(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs) -> Prepared:
    """Computes what fold-in needs; implements `FoldIn.prepare`."""
    n_items, layers = inputs.item_degree.size, all_layers(config, p, inputs)
    total, user = layers.total(), layers.reached().user
    scored = total.entity[:n_items]
    if total.item is not None and config.score == "cosine_of_sum":
        scored = scored + total.item
    degree = jnp.maximum(jnp.bincount(inputs.graph.rows, length=p.entity.shape[0])[:n_items], 1)
    weight = message_weights(config, degree, layers.entity_length)
    of_graph = layers.start.entity[:, :n_items]
    fused = jax.vmap(lambda gates, e, c: fuse(config, gates, e, c))(p.gates, of_graph, layers.start.item)
    norm = jnp.maximum(jnp.linalg.norm(scored, axis=-1), 1e-12)
    return Prepared(p.user, ridge_regression(user, p.user), fused, layers.start.entity, p.relation, weight, norm)


def encode_users(
    config: HAKGConfig,
    prepared: Prepared,
    representation: HAKGRepresentation,
    items: jax.Array,
    weights: jax.Array,
    ids: jax.Array | None,
) -> HAKGRepresentation:
    """Implements `FoldIn.encode_users`. Layer 0 is the user's own; for a new user the map predicts it."""
    total = jnp.maximum(weights.sum(-1), 1e-12)
    layers = jnp.einsum("bm,lbmd->lbd", weights, prepared.fused[:, items]) / total[:, None]
    user = (l2_normalize(layers) if config.normalize_layers else layers).sum(0)
    own = user @ prepared.map if ids is None else prepared.user[ids]
    return representation._replace(user=l2_normalize(own + user))


def score_attributes(
    config: HAKGConfig,
    prepared: Prepared,
    representation: HAKGRepresentation,
    users: jax.Array,
    items: jax.Array,
    relations: jax.Array,
    entities: jax.Array,
) -> jax.Array:
    """Implements `FoldIn.score_attributes`: the inner product of the user with what an edge's messages add to the item.

    The score is linear in the messages of the last aggregation of each layer, except for the length of their sum, which
    counts as given.
    """
    user = representation.user[users]

    def in_layer(entity: jax.Array, weight: jax.Array) -> jax.Array:
        ends = jnp.broadcast_arrays(entity[items][:, None], entity[entities], prepared.relation[relations])
        h, t, r = (x.reshape(-1, x.shape[-1]) for x in ends)
        messages = row_messages(message_of(config), h, t, r).reshape(*relations.shape, -1)
        return weight[items][:, None] * (messages * user[:, None]).sum(-1)

    return jax.vmap(in_layer)(prepared.entity, prepared.weight).sum(0) / prepared.norm[items][:, None]


def score_co_users(
    config: HAKGConfig,
    p: HAKGParameters,
    inputs: HAKGInputs,
    representation: HAKGRepresentation,
    user: jax.Array,
    item: jax.Array,
) -> jax.Array:
    """Implements `FoldIn.score_co_users`: HAKG's path from a user to a co-user to the item, layer by layer.

    The item's collaborative embedding is linear in the users of its last aggregations, except for its length, which
    counts as given.
    """
    layers = all_layers(config, p, inputs)
    total = layers.total()
    assert total.item is not None, "without dual items users contribute nothing to an item"
    assert layers.item_length is not None
    scored = total.item[item] + (total.entity[item] if config.score == "cosine_of_sum" else 0)
    degree = 1 if config.item_aggregation == "sum" else inputs.item_degree[item]
    weight = message_weights(config, degree, layers.item_length[:, item])
    interactions = inputs.interactions
    co_user = jnp.zeros(inputs.user_degree.size, bool).at[interactions.rows].max(interactions.columns == item)
    carried = jnp.einsum("l,lud,d->u", weight, layers.start.user, representation.user[user])
    return jnp.where(co_user, carried, 0) / jnp.maximum(jnp.linalg.norm(scored), 1e-12)


def predict_items(
    unpack: Callable[[Params], HAKGParameters], params: Params, inputs: HAKGInputs, known: jax.Array
) -> Params:
    """Implements `FoldIn.predict_items`: an item's embeddings from the mean embedding of its neighbours."""
    p, n_items = unpack(params), inputs.item_degree.size
    degree = jnp.maximum(jnp.bincount(inputs.graph.rows, length=p.entity.shape[0]), 1)
    ones = jnp.ones(inputs.graph.rows.shape[0], p.entity.dtype)
    # Neighbours that are new themselves were never trained.
    trained = p.entity.at[:n_items].multiply(known[:, None])
    mean = (spmm(ones, trained, inputs.graph, p.entity.shape[0]) / degree[:, None])[:n_items]
    tree, weights = dict(params["params"]), known[:, None].astype(mean.dtype)
    for name in ("entity", "item"):
        if name in tree:
            own = tree[name][:n_items]
            predicted = mean @ ridge_regression(weights * mean, weights * own)
            tree[name] = tree[name].at[:n_items].set(jnp.where(known[:, None], own, predicted))
    return {"params": tree}
