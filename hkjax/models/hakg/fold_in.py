"""HAKG for users never trained: a user is the mean of what a history's items tell it in every layer."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.models.base import Params
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, Sample
from hkjax.models.hakg.message import message_coefficients
from hkjax.models.hakg.parameters import Gates, HAKGParameters
from hkjax.models.hakg.propagation import Embeddings, finish, fuse, layer, layer_0
from hkjax.models.hakg.representation import HAKGRepresentation
from hkjax.ops.lookup import leading_rows
from hkjax.ops.ridge import ridge_regression
from hkjax.ops.rows import l2_normalize
from hkjax.ops.sparse import spmm
from hkjax.ops.triples import Gram


class Prepared(NamedTuple):
    """What fold-in needs of every layer, L of them.

    Attributes:
        user: the trained users' own embeddings, layer 0, [users, d].
        map: what predicts layer 0 of a new user from the sum of the other layers, [d, d].
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
    """Runs the propagation once, and keeps its layers."""
    n_items = inputs.item_degree.size

    def advance(x: Embeddings, gates: Gates) -> tuple[Embeddings, tuple[Embeddings, jax.Array]]:
        y = layer(config, p.relation, gates, x, Sample(inputs, 1.0))
        length = jnp.linalg.norm(leading_rows(y.entity, n_items), axis=-1)
        return Embeddings(*(finish(config, table, None) for table in y)), (x, length)

    start = layer_0(p, inputs)
    last, (x, lengths) = jax.lax.scan(advance, start, p.gates, length=config.layers)
    # Layers 1 to L: those after the first, and the last.
    user = x.user[1:].sum(0) + last.user
    item = leading_rows(x.entity.sum(0) + last.entity, n_items)
    if config.dual_items and config.score == "cosine_of_sum":
        item = item + x.item.sum(0) + last.item
    degree = jnp.maximum(jnp.bincount(inputs.graph.rows, length=p.entity.shape[0])[:n_items], 1)
    weight = jnp.broadcast_to(1 / degree, lengths.shape)
    if config.normalize_layers:
        weight = weight / jnp.maximum(lengths, 1e-12)
    entities = x.entity[:, :n_items]
    fused = jax.vmap(lambda gates, e, c: fuse(config, gates, e, c))(p.gates, entities, x.item)
    norm = jnp.maximum(jnp.linalg.norm(item, axis=-1), 1e-12)
    return Prepared(p.user, ridge_regression(user, p.user), fused, x.entity, p.relation, weight, norm)


def fold_in(
    config: HAKGConfig,
    prepared: Prepared,
    representation: HAKGRepresentation,
    items: jax.Array,
    weights: jax.Array,
    ids: jax.Array | None,
) -> HAKGRepresentation:
    """`FoldIn.users`. Layer 0 is the user's own or, of a new one, what the map makes of the other layers."""
    total = jnp.maximum(weights.sum(-1), 1e-12)
    layers = jnp.einsum("bm,lbmd->lbd", weights, prepared.fused[:, items]) / total[:, None]
    user = (l2_normalize(layers) if config.normalize_layers else layers).sum(0)
    own = user @ prepared.map if ids is None else prepared.user[ids]
    return representation._replace(user=l2_normalize(own + user))


def attributes(
    config: HAKGConfig,
    prepared: Prepared,
    representation: HAKGRepresentation,
    users: jax.Array,
    items: jax.Array,
    relations: jax.Array,
    entities: jax.Array,
) -> jax.Array:
    """`FoldIn.attributes`: the inner product of the user with what an edge's messages add to the item.

    The score is linear in the messages of the last aggregation of each layer, but for the length of their sum, which
    counts as given.
    """
    user = representation.user[users]

    def of_layer(entity: jax.Array, weight: jax.Array) -> jax.Array:
        h, t, r = jnp.broadcast_arrays(entity[items][:, None], entity[entities], prepared.relation[relations])
        pairs = ((h, h), (t, t), (r, r), (h, t), (h, r), (t, r))
        gram = Gram(*((a * b).sum(-1).reshape(-1) for a, b in pairs))
        alpha, beta, gamma = (c.reshape(*relations.shape, 1) for c in message_coefficients(config, gram))
        return weight[items][:, None] * ((alpha * h + beta * t + gamma * r) * user[:, None]).sum(-1)

    return jax.vmap(of_layer)(prepared.entity, prepared.weight).sum(0) / prepared.norm[items][:, None]


def predict_items(
    unpack: Callable[[Params], HAKGParameters], params: Params, inputs: HAKGInputs, known: jax.Array
) -> Params:
    """`FoldIn.items`: an item's embeddings, as entity and as item, from the mean embedding of its neighbours."""
    p, n_items = unpack(params), inputs.item_degree.size
    degree = jnp.maximum(jnp.bincount(inputs.graph.rows, length=p.entity.shape[0]), 1)
    ones = jnp.ones(inputs.graph.rows.shape[0], p.entity.dtype)
    # Neighbours that are new themselves have nothing to tell.
    told = p.entity.at[:n_items].multiply(known[:, None])
    mean = (spmm(ones, told, inputs.graph, p.entity.shape[0]) / degree[:, None])[:n_items]
    tree, weights = dict(params["params"]), known[:, None].astype(mean.dtype)
    for name in ("entity", "item"):
        if name in tree:
            own = tree[name][:n_items]
            predicted = mean @ ridge_regression(weights * mean, weights * own)
            tree[name] = tree[name].at[:n_items].set(jnp.where(known[:, None], own, predicted))
    return {"params": tree}
