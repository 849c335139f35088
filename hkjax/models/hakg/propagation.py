"""HAKG's layers on whole tables: messages along the graph, and collaborative signals fused by a gate.

`equations.layer` is the definition. `layer` computes the same from tables and edge lists; `propagate` differs from a
loop over `layer` only in its order: it computes all layers of the entities first.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, KeptEdges, subsample
from hkjax.models.hakg.message import message_of
from hkjax.models.hakg.parameters import Gates, HAKGParameters
from hkjax.ops.autodiff.recompute import recompute, scan_recomputed
from hkjax.ops.lookup import leading_rows, local_rows
from hkjax.ops.rows import l2_normalize
from hkjax.ops.sampling import dropout
from hkjax.ops.sparse import Edges, spmm, spmm_transposed
from hkjax.ops.triples import mean_message
from hkjax.precision import sum_of_products


class Embeddings(NamedTuple):
    """Tangent vectors at 0 of users [users, d], entities [entities, d] and, with dual items, items [items, d].

    An item's row of `item` is its collaborative embedding; its row of `entity` is its embedding in the graph.
    """

    user: jax.Array
    entity: jax.Array
    item: jax.Array | None


class Keys(NamedTuple):
    """Keys for dropout of every layer of a table, [L]; None where nothing is dropped."""

    user: jax.Array | None = None
    entity: jax.Array | None = None
    item: jax.Array | None = None


def layer_0(p: HAKGParameters) -> Embeddings:
    """Returns the embeddings themselves."""
    return Embeddings(p.user, p.entity, p.item)


def messages(config: HAKGConfig, relation: jax.Array, entity: jax.Array, graph: Edges, train: bool) -> jax.Array:
    """Computes the mean message over the edges that an entity heads, [entities, d]; 0 for one that heads none."""
    return mean_message(message_of(config), entity, relation, graph, hold_rows=train)


def fuse(config: HAKGConfig, gates: Gates, entity: jax.Array, item: jax.Array | None) -> jax.Array:
    """Computes what users aggregate of items, g * c + (1 - g) * e with g = sigmoid(W1 c + W2 e).

    Args:
        config: the choices.
        gates: W1 and W2, [d, d] each, named as in the official code; None mixes both sides evenly.
        entity, item: e and c of the items, [items, d]; without dual items c is None and the result is e.

    Returns:
        [items, d].
    """
    if item is None:
        return entity
    if gates is None:
        return (item + entity) / 2
    gate = jax.nn.sigmoid(sum_of_products((item, entity), gates, config.matmul_dtype))
    return gate * item + (1 - gate) * entity


def aggregate_users(fused: jax.Array, kept: KeptEdges) -> jax.Array:
    """Computes the mean over each user's items of a table [items, d]: [users, d]."""
    degree = kept.inputs.user_degree
    weights = jnp.full(1, kept.scale, fused.dtype)
    return spmm(weights, fused, kept.inputs.interactions, degree.size) / local_rows(degree, fill=1)[:, None]


def aggregate_items(config: HAKGConfig, users: jax.Array, kept: KeptEdges) -> jax.Array:
    """Computes the sum or mean over each item's users of a table [users, d]: [items, d]."""
    degree = kept.inputs.item_degree
    weights = jnp.full(1, kept.scale, users.dtype)
    total = spmm_transposed(weights, users, kept.inputs.interactions, degree.size)
    return total if config.item_aggregation == "sum" else total / local_rows(degree, fill=1)[:, None]


def layer(config: HAKGConfig, relation: jax.Array, gates: Gates, x: Embeddings, kept: KeptEdges) -> Embeddings:
    """Computes one round of propagation of the previous layer x, before dropout and normalisation."""
    items = leading_rows(x.entity, kept.inputs.item_degree.size)
    return Embeddings(
        user=aggregate_users(fuse(config, gates, items, x.item), kept),
        entity=messages(config, relation, x.entity, kept.inputs.graph, train=False),
        item=None if x.item is None else aggregate_items(config, x.user, kept),
    )


def dropout_and_normalize(config: HAKGConfig, x: jax.Array, key: jax.Array | None) -> jax.Array:
    """Applies dropout (if a key is given) and normalisation to one layer of a table."""
    if key is not None and config.message_dropout:
        x = dropout(key, x, config.message_dropout)
    return l2_normalize(x) if config.normalize_layers else x


@jax.named_scope("propagation")
def propagate(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, key: jax.Array | None) -> Embeddings:
    """Computes the sum of layers 0 to L, each `dropout_and_normalize` of `layer`.

    With a key, edges and interactions are sampled, and entries dropped out. Entity layers depend on entities only:
    they are computed first; users and items then read layers 0 to L - 1.
    """
    kept, keys = KeptEdges(inputs, 1.0), Keys()
    if key is not None:
        edges_key, *layer_keys = jax.random.split(key, config.layers + 1)
        kept = subsample(config, inputs, edges_key)
        keys = Keys(*jax.vmap(partial(jax.random.split, num=3), out_axes=1)(jnp.stack(layer_keys)))

    def next_entities(
        carry: tuple[jax.Array, jax.Array], key: jax.Array | None
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        x, total = carry
        mean = messages(config, p.relation, x, kept.inputs.graph, train=key is not None)
        y = dropout_and_normalize(config, mean, key)
        return (y, total + y), leading_rows(x, inputs.item_degree.size)

    @recompute
    def next_users(gates: Gates, entity: jax.Array, item: jax.Array | None, key: jax.Array | None) -> jax.Array:
        return dropout_and_normalize(config, aggregate_users(fuse(config, gates, entity, item), kept), key)

    @recompute
    def next_items(user: jax.Array, key: jax.Array | None) -> jax.Array:
        return dropout_and_normalize(config, aggregate_items(config, user, kept), key)

    (_, entity), items_of_graph = scan_recomputed(
        next_entities, (p.entity, p.entity), keys.entity, length=config.layers
    )
    user, item = p.user, p.item
    users, items = [user], [item]
    for k in range(config.layers):
        gates, of_graph, user_key, item_key = jax.tree.map(
            lambda x, k=k: x[k], (p.gates, items_of_graph, keys.user, keys.item)
        )
        user, item = (
            next_users(gates, of_graph, item, user_key),
            None if item is None else next_items(user, item_key),
        )
        users.append(user)
        items.append(item)
    return Embeddings(sum_layers(users), entity, sum_layers(items))


def sum_layers(layers: Sequence[Any]) -> Any:
    """Adds layers 0 to L; the sum is what is scored. None where there are none."""
    return None if layers[0] is None else sum(layers[1:], start=layers[0])
