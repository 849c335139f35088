"""HAKG: a knowledge graph propagated in hyperbolic space, fused with collaborative signals by a gate.

After "Hierarchy-Aware Knowledge Gated Network for Recommendation" (Du et al., SIGIR 2022, arXiv
2204.04959), its slides and its official code. Users, entities and items are kept as tangent vectors
at 0 of the Poincare ball of curvature -1; a point of the ball is their exponential. Aggregation at 0,
exp_0(mean(log_0(.))), is then a plain mean of tangent vectors. Only the messages of the knowledge graph's
edges and the angle loss compute on the ball.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.geometry import _series
from hkjax.models.base import Batch, Metrics, Params, Recommender, shard_by_type
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, Sample, make_inputs, subsample
from hkjax.models.hakg.losses import cone_loss, contrastive_loss, cosines, l2_normalize
from hkjax.models.hakg.message import message_coefficients
from hkjax.models.hakg.parameters import HAKG, Gates, HAKGParameters
from hkjax.ops.lookup import leading_rows, local_rows, take_rows
from hkjax.ops.sampling import dropout, sample_negatives
from hkjax.ops.sparse import Edges, spmm, spmm_transposed
from hkjax.ops.triples import edge_gram, mean_message, save_edge_scalars
from hkjax.precision import full_precision


class Embeddings(NamedTuple):
    """Tangent vectors at 0: of users [users, d], entities [entities, d] and items [items, d].

    Items have collaborative embeddings; without dual items, those of their entities.
    """

    user: jax.Array
    entity: jax.Array
    item: jax.Array


class HAKGRepresentation(NamedTuple):
    """What ranking and pictures need, computed once.

    Attributes:
        user: unit rows [users, d].
        item: rows [items, d], whose inner products with users are scores.
        entity_points: the entities in the Poincare ball before propagation, [entities, d].
    """

    user: jax.Array
    item: jax.Array
    entity_points: jax.Array


def exp_0(x: jax.Array) -> jax.Array:
    """The points of the ball that tangent vectors at 0 lead to, [..., d] to [..., d]."""
    return _series.tanhc(jnp.sum(x**2, axis=-1, keepdims=True)) * x


def layer_0(p: HAKGParameters, inputs: HAKGInputs) -> Embeddings:
    """The embeddings themselves; without dual items, items are their entities."""
    item = leading_rows(p.entity, inputs.item_degree.size) if p.item is None else p.item
    return Embeddings(p.user, p.entity, item)


def messages(config: HAKGConfig, relation: jax.Array, entity: jax.Array, graph: Edges) -> jax.Array:
    """The mean message over the edges that an entity heads, [entities, d]; 0 for one that heads none."""
    coefficients = message_coefficients(config, edge_gram(entity, relation, graph))
    return mean_message(coefficients, entity, relation, graph)


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
    gate = jax.nn.sigmoid(item @ gates[0] + entity @ gates[1])
    return gate * item + (1 - gate) * entity


def layer(config: HAKGConfig, relation: jax.Array, gates: Gates, x: Embeddings, sample: Sample) -> Embeddings:
    """One round of propagation of the previous layer x, before dropout and normalisation."""
    inputs, interactions = sample.inputs, sample.inputs.interactions
    n_users, n_items = inputs.user_degree.size, inputs.item_degree.size
    weights = jnp.full(interactions.rows.shape[0], sample.scale, x.entity.dtype)
    entity = messages(config, relation, x.entity, inputs.graph)
    fused = fuse(config, gates, leading_rows(x.entity, n_items), x.item)
    user = spmm(weights, fused, interactions, n_users) / local_rows(inputs.user_degree, fill=1)[:, None]
    if not config.dual_items:
        return Embeddings(user, entity, leading_rows(entity, n_items))
    item = spmm_transposed(weights, x.user, interactions, n_items)
    if config.item_aggregation == "mean":
        item = item / local_rows(inputs.item_degree, fill=1)[:, None]
    return Embeddings(user, entity, item)


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
    advance = jax.checkpoint(advance, prevent_cse=False, policy=save_edge_scalars)
    return jax.lax.scan(advance, (start, start), (p.gates, keys), length=config.layers)[0][1]


def item_tables(config: HAKGConfig, x: Embeddings, inputs: HAKGInputs) -> list[jax.Array]:
    """The item tables that are scored, [items, d] each: entities and, with dual items, collaborative embeddings."""
    entity = leading_rows(x.entity, inputs.item_degree.size)
    return [entity, x.item] if config.dual_items else [entity]


def ranking_loss(config: HAKGConfig, x: Embeddings, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> jax.Array:
    """The contrastive loss of the rows' positive items against sampled negatives."""
    users, n_items = batch["user"], inputs.item_degree.size
    negative = sample_negatives(key, inputs.exclusions, users, batch["example"], config.negatives, n_items)
    user = take_rows(l2_normalize(x.user), users)
    tables = (l2_normalize(table) for table in item_tables(config, x, inputs))
    losses = contrastive_loss([cosines(user, table, batch["item"], negative) for table in tables], config.margin)
    return jnp.mean(batch["weight"] * losses)


def loss(
    config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, batch: Batch, key: jax.Array
) -> tuple[jax.Array, Metrics]:
    """The ranking loss plus the weighted angle loss, and both."""
    dropout_key, negatives_key, mask_key = jax.random.split(key, 3)
    of_ranking = ranking_loss(config, propagate(config, p, inputs, dropout_key), inputs, batch, negatives_key)
    points = exp_0(p.entity) if config.angle_space == "ball" else p.entity
    of_angles = cone_loss(config, points, inputs.pairs, mask_key) if config.angle_weight else jnp.zeros(())
    total = of_ranking + config.angle_weight * of_angles
    return total, {"loss": total, "ranking": of_ranking, "angle": of_angles}


def encode(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs) -> HAKGRepresentation:
    """Users and items, from the whole graph."""
    x = propagate(config, p, inputs, None)
    tables = jnp.stack(item_tables(config, x, inputs))
    item = l2_normalize(tables.sum(0)) if config.score == "cosine_of_sum" else l2_normalize(tables).sum(0)
    return HAKGRepresentation(l2_normalize(x.user), item, exp_0(p.entity))


def hakg(config: HAKGConfig, data: Dataset, batch_size: int) -> Recommender:
    """Builds HAKG for a data set with positive rows and a knowledge graph.

    Args:
        config: the choices.
        data: the interactions and the graph; rows with label 0 are not used.
        batch_size: positive rows per training step.

    Raises:
        InputError: no triple, or a user has every item as a positive.
    """
    inputs, positives = make_inputs(config, data), data.train.positives()
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)

    unpack: Callable[[Params], Any] = module.apply

    @full_precision
    def loss_of(params: Params, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        return loss(config, unpack(params), inputs, batch, key)

    return Recommender(
        inputs=inputs,
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, batch_size),
        init=module.init,
        loss=loss_of,
        encode=full_precision(lambda params, inputs: encode(config, unpack(params), inputs)),
        score_pairs=lambda r, users, items: jnp.sum(r.user[users] * r.item[items], axis=-1),
        score_all_items=full_precision(lambda r, users: r.user[users] @ r.item.T),
        shard=shard_by_type(inputs, tables=("user", "entity", *(["item"] if config.dual_items else []))),
    )
