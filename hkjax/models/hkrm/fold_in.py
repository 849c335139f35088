"""HKRM for users and items that were never trained.

HKRM knows a user only by the history, so the model's own equations give a new user's vector.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.models.base import Params
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.equations import item_weights, preference, proximity_logits, query_vector
from hkjax.models.hkrm.inputs import HKRMInputs
from hkjax.models.hkrm.parameters import HKRMParameters
from hkjax.models.hkrm.representation import HKRMRepresentation
from hkjax.models.hkrm.sides import Side, duet_vector, softmax_mask
from hkjax.models.hkrm.values import all_values
from hkjax.regression import ridge_regression


class Prepared(NamedTuple):
    """Arrays that fold-in reads.

    Attributes:
        parameters: the model's.
        values: o_j of every item, [items, n, d].
        mask: the fields that take part in an item's softmaxes, [items, n].
        weight: p of eq. 2, [items]; None for uniform weights, and for weights of trained interactions.
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


def encode_users(
    config: HKRMConfig,
    prepared: Prepared,
    representation: HKRMRepresentation,
    items: jax.Array,
    weights: jax.Array,
    ids: jax.Array | None,
) -> HKRMRepresentation:
    """Implements `FoldIn.encode_users` by `equations.py`.

    With `query_weight="interaction"` all items weigh the same: new users lack these weights.
    """
    del ids
    p = prepared.parameters

    def side(items: jax.Array, count: jax.Array) -> Side:
        learned = jnp.zeros_like(count) if prepared.weight is None else prepared.weight[items]
        q_s = query_vector(item_weights(learned, count), p.entity[items])
        q_s = jnp.where(count.sum() > 0, q_s, p.empty_query)
        logits = jax.vmap(proximity_logits, (0, None, None))(prepared.values[items], p.relation, q_s)
        return Side(q_s, preference(logits, prepared.mask[items], count, config.pooling))

    q = jax.vmap(side)(items, weights)
    return representation._replace(user=duet_vector(config, p, q), preference=q.probabilities)


def score_attributes(
    field_of_relation: jax.Array,
    prepared: Prepared,
    representation: HKRMRepresentation,
    users: jax.Array,
    items: jax.Array,
    relations: jax.Array,
    entities: jax.Array,
) -> jax.Array:
    """Implements `FoldIn.score_attributes`: P(A|q) P^(A|t) of the fact's field, and 0 for a fact of no field."""
    del prepared, entities
    fields = field_of_relation[relations]
    agreement = representation.preference[users] * representation.importance[items]
    found = jnp.take_along_axis(agreement, jnp.maximum(fields, 0), axis=1)
    return jnp.where(fields >= 0, found, 0)


def predict_items(
    unpack: Callable[[Params], HKRMParameters], params: Params, inputs: HKRMInputs, known: jax.Array
) -> Params:
    """Implements `FoldIn.predict_items`: an item's embedding and bias from the mean of its fields' values."""
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
