"""HKRM for users never trained: it knows a user by the history alone, so that this is the model itself.

Equations are numbered as in the paper (see hkjax/models/hkrm/model.py). Here an item of the history counts any number
of times, so that the derivative by that number says what the item contributes.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.models.base import Params
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.inputs import HKRMInputs
from hkjax.models.hkrm.parameters import HKRMParameters
from hkjax.models.hkrm.proximity import proximity_softmax, relate
from hkjax.models.hkrm.representation import HKRMRepresentation
from hkjax.models.hkrm.sides import Side, combine, softmax_mask
from hkjax.models.hkrm.values import all_values
from hkjax.ops.ridge import ridge_regression


class Prepared(NamedTuple):
    """What fold-in needs.

    Attributes:
        parameters: the model's.
        values: o_j of every item, [items, n, d].
        mask: the fields that take part in an item's softmaxes, [items, n].
        weight: p of eq. 2, [items]; None for uniform weights, and for those of trained interactions alone.
    """

    parameters: HKRMParameters
    values: jax.Array
    mask: jax.Array
    weight: jax.Array | None


def prepare(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs) -> Prepared:
    """Sums the values of every item's fields, eq. 3."""
    n_items, n_fields = inputs.field_mask.shape
    values = all_values(p, inputs).table.reshape(n_items, n_fields, -1)
    mask = softmax_mask(config, inputs, jnp.arange(n_items))
    return Prepared(p, values, mask, p.query_weight if config.query_weight == "item" else None)


def fold_in(
    config: HKRMConfig,
    prepared: Prepared,
    representation: HKRMRepresentation,
    items: jax.Array,
    weights: jax.Array,
    ids: jax.Array | None,
) -> HKRMRepresentation:
    """`FoldIn.users`. With `query_weight="interaction"`, whose weights new users lack, all items weigh the same."""
    del ids
    p, length = prepared.parameters, weights.sum(-1, keepdims=True)
    empty = length == 0
    weight = jnp.zeros_like(weights) if prepared.weight is None else prepared.weight[items]
    logits = weight / jnp.where(empty, 1, length)
    logits = jnp.where(weights > 0, logits, -jnp.inf)
    shift = jax.lax.stop_gradient(jnp.where(empty, 0, logits.max(-1, keepdims=True)))
    counted = weights * jnp.exp(jnp.where(weights > 0, logits - shift, 0))
    pooled = jnp.einsum("bm,bmd->bd", counted, p.entity[items]) / jnp.where(empty, 1, counted.sum(-1, keepdims=True))
    vector = jnp.where(empty, p.empty_query, pooled)
    related = jax.vmap(relate, (None, 0))(p.relation, vector)
    proximity = jnp.einsum("bmnd,bnd->bmn", prepared.values[items], related)
    probabilities = _pool(config, proximity, prepared.mask[items], weights)
    user = combine(config, p, Side(vector, probabilities))
    return representation._replace(user=user, preference=probabilities)


def _pool(config: HKRMConfig, logits: jax.Array, mask: jax.Array, weights: jax.Array) -> jax.Array:
    """P(A|q) of eq. 4, [B, n], from logits and mask [B, m, n] and weights [B, m]."""
    if config.pooling == "mean":
        total = jnp.einsum("bm,bmn->bn", weights, proximity_softmax(logits, mask))
        pooled = total / jnp.where(weights.sum(-1) > 0, weights.sum(-1), 1)[:, None]
    else:
        mask = mask & (weights > 0)[..., None]
        top = jnp.where(mask, logits, -jnp.inf).max((1, 2), keepdims=True)
        shift = jax.lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0))
        total = (weights[..., None] * jnp.where(mask, jnp.exp(jnp.where(mask, logits - shift, 0)), 0)).sum(1)
        pooled = total / jnp.where(total.sum(-1, keepdims=True) > 0, total.sum(-1, keepdims=True), 1)
    return jnp.where(pooled.sum(-1, keepdims=True) == 0, 1 / logits.shape[-1], pooled)


def attributes(
    field_of_relation: jax.Array,
    prepared: Prepared,
    representation: HKRMRepresentation,
    users: jax.Array,
    items: jax.Array,
    relations: jax.Array,
    entities: jax.Array,
) -> jax.Array:
    """`FoldIn.attributes`: P(A|q) P^(A|t) of the fact's field, and 0 for a fact of no field."""
    del prepared, entities
    fields = field_of_relation[relations]
    agreement = representation.preference[users] * representation.importance[items]
    found = jnp.take_along_axis(agreement, jnp.maximum(fields, 0), axis=1)
    return jnp.where(fields >= 0, found, 0)


def predict_items(
    unpack: Callable[[Params], HKRMParameters], params: Params, inputs: HKRMInputs, known: jax.Array
) -> Params:
    """`FoldIn.items`: an item's embedding and bias from the mean of its fields' values."""
    p, (n_items, n_fields) = unpack(params), inputs.field_mask.shape
    values = all_values(p, inputs).table.reshape(n_items, n_fields, -1).sum(1)
    mean = values / jnp.maximum(inputs.field_mask.sum(1, keepdims=True), 1)
    features = jnp.concatenate([mean, jnp.ones_like(mean[:, :1])], axis=1)
    own = jnp.concatenate([p.entity[:n_items], p.bias[:, None]], axis=1)
    weights = known[:, None].astype(own.dtype)
    predicted = features @ ridge_regression(weights * features, weights * own)
    filled = jnp.where(known[:, None], own, predicted)
    tree = {**params["params"], "entity": p.entity.at[:n_items].set(filled[:, :-1])}
    return {"params": {**tree, "bias": filled[:, -1]} if "bias" in tree else tree}
