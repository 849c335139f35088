"""HAKG's rounds of propagation: messages on the graph, and collaborative signals fused by a gate."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, Sample, subsample
from hkjax.models.hakg.message import message_coefficients
from hkjax.models.hakg.parameters import Gates, HAKGParameters
from hkjax.ops.lookup import leading_rows, local_rows
from hkjax.ops.rows import ROW_SQUARES, l2_normalize
from hkjax.ops.sampling import dropout
from hkjax.ops.sparse import Edges, spmm, spmm_transposed
from hkjax.ops.triples import EDGE_SCALARS, edge_gram, mean_message, weighted_mean
from hkjax.precision import matmul

# What the reverse pass does not compute anew: sums over edges and interactions, and the numbers of edges and rows.
_SAVED = jax.checkpoint_policies.save_only_these_names("sums", EDGE_SCALARS, ROW_SQUARES)


class Embeddings(NamedTuple):
    """Tangent vectors at 0: of users [users, d], entities [entities, d] and items [items, d].

    Items have collaborative embeddings; without dual items, those of their entities.
    """

    user: jax.Array
    entity: jax.Array
    item: jax.Array


class Keys(NamedTuple):
    """For dropout of every layer of a table, [L]; None where there is none."""

    user: jax.Array | None = None
    entity: jax.Array | None = None
    item: jax.Array | None = None


# `spmm` or `spmm_transposed`.
_Product = Callable[[jax.Array, jax.Array, Edges, int], jax.Array]


def layer_0(p: HAKGParameters, inputs: HAKGInputs) -> Embeddings:
    """The embeddings themselves; without dual items, items are their entities."""
    item = leading_rows(p.entity, inputs.item_degree.size) if p.item is None else p.item
    return Embeddings(p.user, p.entity, item)


def messages(config: HAKGConfig, relation: jax.Array, entity: jax.Array, graph: Edges, train: bool) -> jax.Array:
    """The mean message over the edges that an entity heads, [entities, d]; 0 for one that heads none.

    In training, which visits a part of the edges, arrays [edges, d] may be held where that is faster.
    """
    coefficients_of = partial(message_coefficients, config)
    if train:
        return mean_message(coefficients_of, entity, relation, graph)
    return weighted_mean(coefficients_of(edge_gram(entity, relation, graph)), entity, relation, graph)


def fuse(config: HAKGConfig, gates: Gates, entity: jax.Array, item: jax.Array) -> jax.Array:
    """What users aggregate of items, g * c + (1 - g) * e with g = sigmoid(W1 c + W2 e).

    Args:
        config: the choices.
        gates: W1 and W2, [d, d] each; None mixes both sides evenly.
        entity, item: e and c of the items, [items, d].

    Returns:
        [items, d].
    """
    if not config.dual_items:
        return entity
    if gates is None:
        return (item + entity) / 2
    # One product in place of two: quicker to compile.
    beside = jnp.concatenate([item, entity], axis=-1)
    gate = jax.nn.sigmoid(matmul(beside, jnp.concatenate(gates), config.matmul_dtype))
    return gate * item + (1 - gate) * entity


def aggregate_users(tables: Sequence[jax.Array], sample: Sample) -> list[jax.Array]:
    """The mean over each user's items of tables [items, d]: [users, d] of each."""
    degree = local_rows(sample.inputs.user_degree, fill=1)[:, None]
    return [total / degree for total in _sum_interactions(spmm, tables, sample, sample.inputs.user_degree.size)]


def aggregate_items(config: HAKGConfig, tables: Sequence[jax.Array], sample: Sample) -> list[jax.Array]:
    """The sum or mean over each item's users of tables [users, d]: [items, d] of each."""
    totals = _sum_interactions(spmm_transposed, tables, sample, sample.inputs.item_degree.size)
    if config.item_aggregation == "sum":
        return totals
    degree = local_rows(sample.inputs.item_degree, fill=1)[:, None]
    return [total / degree for total in totals]


def _sum_interactions(product: _Product, tables: Sequence[jax.Array], sample: Sample, n: int) -> list[jax.Array]:
    weights = jnp.full(1, sample.scale, tables[0].dtype)
    beside = product(weights, jnp.concatenate(tables, axis=1), sample.inputs.interactions, n)
    return jnp.split(checkpoint_name(beside, "sums"), len(tables), axis=1)


def layer(config: HAKGConfig, relation: jax.Array, gates: Gates, x: Embeddings, sample: Sample) -> Embeddings:
    """One round of propagation of the previous layer x, before dropout and normalisation."""
    n_items = sample.inputs.item_degree.size
    entity = messages(config, relation, x.entity, sample.inputs.graph, train=False)
    (user,) = aggregate_users([fuse(config, gates, leading_rows(x.entity, n_items), x.item)], sample)
    if not config.dual_items:
        return Embeddings(user, entity, leading_rows(entity, n_items))
    (item,) = aggregate_items(config, [x.user], sample)
    return Embeddings(user, entity, item)


def finish(config: HAKGConfig, x: jax.Array, key: jax.Array | None) -> jax.Array:
    """What a layer of any table undergoes at last: dropout, if there is a key, and normalisation."""
    if key is not None and config.message_dropout:
        x = dropout(key, x, config.message_dropout)
    return l2_normalize(x) if config.normalize_layers else x


@jax.named_scope("propagation")
def propagate(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, key: jax.Array | None) -> Embeddings:
    """The sum of layers 0 to L, each `finish` of `layer`; without dual items, items are their entities.

    With a key, edges and interactions are sampled, and entries dropped out.
    """
    sample, keys = Sample(inputs, 1.0), Keys()
    if key is not None:
        sample_key, *layer_keys = jax.random.split(key, config.layers + 1)
        sample = subsample(config, inputs, sample_key)
        keys = Keys(*jax.vmap(partial(jax.random.split, num=3), out_axes=1)(jnp.stack(layer_keys)))

    def advance(carry: tuple[jax.Array, jax.Array], key: jax.Array | None) -> tuple[Any, jax.Array]:
        x, total = carry
        mean = checkpoint_name(messages(config, p.relation, x, sample.inputs.graph, train=key is not None), "sums")
        y = finish(config, mean, key)
        return (y, total + y), leading_rows(x, inputs.item_degree.size)

    # Entities wait for nobody, so that users and items are given all their layers but the last.
    advance = jax.checkpoint(advance, prevent_cse=False, policy=_SAVED)
    (_, entity), of_items = jax.lax.scan(advance, (p.entity, p.entity), keys.entity, length=config.layers)
    users, items = collaborate(config, p, of_items, sample, keys)
    item = sum_layers(items) if items else leading_rows(entity, inputs.item_degree.size)
    return Embeddings(sum_layers(users), entity, item)


def collaborate(
    config: HAKGConfig, p: HAKGParameters, entities: jax.Array, sample: Sample, keys: Keys
) -> tuple[list[jax.Array], list[jax.Array]]:
    """Layers 0 to L of users and of items' collaborative embeddings, in L + 1 sums over the interactions.

    A layer of users follows from the items' layer before, and conversely: two chains, items 1, users 2, items 3, ...
    and users 1, items 2, users 3, ... A layer k of one and the layer k + 1 of the other are one sum over the same
    interactions, of rows twice as long. Without dual items nothing waits, and all users' layers are one sum.

    Args:
        config: the choices.
        p: the parameters.
        entities: layers 0 to L - 1 of the items' entities, [L, items, d].
        sample: the interactions.
        keys: for dropout, of L layers of users and of items, or None.
    """
    by_layer = (p.gates, entities, keys.user, keys.item)
    layers = (jax.tree.map(lambda x, k=k: x[k], by_layer) for k in range(config.layers))
    gates, entity, user_keys, item_keys = zip(*layers, strict=True)

    @partial(jax.checkpoint, policy=_SAVED)
    def next_users(gates: Sequence[Any], entities: Any, items: Any, keys: Sequence[Any]) -> list[jax.Array]:
        fused = list(map(partial(fuse, config), gates, entities, items))
        return list(map(partial(finish, config), aggregate_users(fused, sample), keys))

    @partial(jax.checkpoint, policy=_SAVED)
    def next_items(users: list[jax.Array], keys: Sequence[Any]) -> list[jax.Array]:
        return list(map(partial(finish, config), aggregate_items(config, users, sample), keys))

    if p.item is None:
        return [p.user, *next_users(gates, entity, entity, user_keys)], []
    users, items = [p.user], [p.item]
    for k in range(config.layers + 1):
        which = slice(max(k - 1, 0), min(k + 1, config.layers))
        if k % 2:
            users += next_users(gates[which], entity[which], items[which], user_keys[which])
        else:
            items += next_items(users[which], item_keys[which])
    return users, items


def sum_layers(layers: Sequence[jax.Array]) -> jax.Array:
    """The sum of layers 0 to L, which is what is scored."""
    return sum(layers[1:], start=layers[0])
