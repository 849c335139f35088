"""HAKG's rounds of propagation: messages on the graph, and collaborative signals fused by a gate."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, Sample, subsample
from hkjax.models.hakg.losses import l2_normalize
from hkjax.models.hakg.message import message_coefficients
from hkjax.models.hakg.parameters import Gates, HAKGParameters
from hkjax.ops.lookup import leading_rows, local_rows
from hkjax.ops.sampling import dropout
from hkjax.ops.sparse import Edges, spmm, spmm_transposed
from hkjax.ops.triples import EDGE_SCALARS, mean_message
from hkjax.precision import matmul

# What the reverse pass does not compute anew: sums over edges and interactions, and the numbers of every edge.
_SAVED = jax.checkpoint_policies.save_only_these_names("sums", EDGE_SCALARS)


class Embeddings(NamedTuple):
    """Tangent vectors at 0: of users [users, d], entities [entities, d] and items [items, d].

    Items have collaborative embeddings; without dual items, those of their entities.
    """

    user: jax.Array
    entity: jax.Array
    item: jax.Array


def layer_0(p: HAKGParameters, inputs: HAKGInputs) -> Embeddings:
    """The embeddings themselves; without dual items, items are their entities."""
    item = leading_rows(p.entity, inputs.item_degree.size) if p.item is None else p.item
    return Embeddings(p.user, p.entity, item)


def messages(config: HAKGConfig, relation: jax.Array, entity: jax.Array, graph: Edges) -> jax.Array:
    """The mean message over the edges that an entity heads, [entities, d]; 0 for one that heads none."""
    return mean_message(partial(message_coefficients, config), entity, relation, graph)


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
    products = (matmul(x, w, config.matmul_dtype) for x, w in ((item, gates[0]), (entity, gates[1])))
    gate = jax.nn.sigmoid(sum(products))
    return gate * item + (1 - gate) * entity


def layer(config: HAKGConfig, relation: jax.Array, gates: Gates, x: Embeddings, sample: Sample) -> Embeddings:
    """One round of propagation of the previous layer x, before dropout and normalisation."""
    inputs, interactions = sample.inputs, sample.inputs.interactions
    n_users, n_items = inputs.user_degree.size, inputs.item_degree.size
    weights = jnp.full(1, sample.scale, x.entity.dtype)
    entity = checkpoint_name(messages(config, relation, x.entity, inputs.graph), "sums")
    fused = fuse(config, gates, leading_rows(x.entity, n_items), x.item)
    user = checkpoint_name(spmm(weights, fused, interactions, n_users), "sums")
    user = user / local_rows(inputs.user_degree, fill=1)[:, None]
    if not config.dual_items:
        return Embeddings(user, entity, leading_rows(entity, n_items))
    item = checkpoint_name(spmm_transposed(weights, x.user, interactions, n_items), "sums")
    if config.item_aggregation == "mean":
        item = item / local_rows(inputs.item_degree, fill=1)[:, None]
    return Embeddings(user, entity, item)


@jax.named_scope("propagation")
def propagate(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, key: jax.Array | None) -> Embeddings:
    """The sum of layers 0 to L. With a key, edges and interactions are sampled, and entries dropped out."""
    sample, keys = Sample(inputs, 1.0), None
    if key is not None:
        sample_key, *dropout_keys = jax.random.split(key, config.layers + 1)
        sample, keys = subsample(config, inputs, sample_key), jnp.stack(dropout_keys)

    def advance(carry: tuple[Embeddings, Embeddings], of_layer: Any) -> tuple[tuple[Embeddings, Embeddings], None]:
        (x, total), (gates, key) = carry, of_layer
        x = layer(config, p.relation, gates, x, sample)
        if key is not None and config.message_dropout:
            x = Embeddings(*map(partial(dropout, rate=config.message_dropout), jax.random.split(key, 3), x))
        if config.normalize_layers:
            x = Embeddings(*map(l2_normalize, x))
        return (x, Embeddings(*map(jnp.add, total, x))), None

    start = layer_0(p, inputs)
    advance = jax.checkpoint(advance, prevent_cse=False, policy=_SAVED)
    return jax.lax.scan(advance, (start, start), (p.gates, keys), length=config.layers)[0][1]
