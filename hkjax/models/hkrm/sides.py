"""HKRM's two sides, queries and targets, each at the item level and the attribute level.

Equations are numbered as in the paper, and letters mean what they do there (see hkjax/models/hkrm/model.py).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.history import History, field_probabilities, query_weights
from hkjax.models.hkrm.inputs import HKRMInputs
from hkjax.models.hkrm.parameters import HKRMParameters, affine
from hkjax.models.hkrm.proximity import proximity_log_softmax, proximity_logits, proximity_softmax, relate
from hkjax.ops.lookup import bag, segment_scores, take_rows
from hkjax.ops.sparse import spmm


class Side(NamedTuple):
    """One side of the model, the queries or the targets of B rows.

    Attributes:
        vector: the item level, q_s or t_s, [B, d].
        probabilities: P(A|q) or P^(A|t), [B, n].
    """

    vector: jax.Array
    probabilities: jax.Array


def attribute_values(p: HKRMParameters, inputs: HKRMInputs) -> jax.Array:
    """o_j of every item (eq. 3): [items * n, d]."""
    ones = jnp.ones(inputs.values.rows.shape[0], p.entity.dtype)
    return spmm(ones, p.entity, inputs.values, inputs.field_mask.size)


def softmax_mask(config: HKRMConfig, inputs: HKRMInputs, items: jax.Array) -> jax.Array:
    """The fields [..., n] that take part in the softmaxes of the items [...]."""
    mask = inputs.field_mask[items]
    return mask if config.missing_fields == "mask" else jnp.ones_like(mask)


@jax.named_scope("target")
def target(
    config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, values: jax.Array, items: jax.Array
) -> tuple[Side, jax.Array]:
    """The side of the items [B] (eq. 1 and 5), and log P^(A|t) [B, n]; `values` [items * n, d] holds every o."""
    vector, n_fields = take_rows(p.entity, items), inputs.field_mask.shape[1]
    of_items = take_rows(values, items[:, None] * n_fields + jnp.arange(n_fields))
    logits = jax.vmap(proximity_logits, (0, None, 0))(of_items, p.relation, vector)
    mask = softmax_mask(config, inputs, items)
    return Side(vector, proximity_softmax(logits, mask)), proximity_log_softmax(logits, mask)


@jax.named_scope("query")
def query(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, values: jax.Array, history: History) -> Side:
    """The side of the histories, q_s (eq. 1) and P(A|q) (eq. 4); `values` [items * n, d] holds every o."""
    n_rows, n_fields = history.n_kept.shape[0], inputs.field_mask.shape[1]
    vector = bag(p.entity, history.item, query_weights(config, p, history), history.row, n_rows)
    vector = jnp.where(history.n_kept[:, None] > 0, vector, p.empty_query)
    related = jax.vmap(relate, (None, 0))(p.relation, vector)
    fields = history.item[:, None] * n_fields + jnp.arange(n_fields)
    logits = segment_scores(related, values, fields, history.row)
    return Side(vector, field_probabilities(config, logits, softmax_mask(config, inputs, history.item), history))


def combine(config: HKRMConfig, p: HKRMParameters, side: Side) -> jax.Array:
    """A side's vector, [B, d]; the inner product of both sides' vectors is eq. 10.

    Its four terms factor: q_s.t_s + q_A.t_A + q_s.t_A + q_A.t_s = (q_s + q_A).(t_s + t_A), where
    q_A = MLP(P(A|q)) is the attribute level (eq. 6 and 7).
    """
    if config.levels == "item":
        return side.vector
    attribute_level = affine(p.output, nn.tanh(affine(p.hidden, side.probabilities)))
    return attribute_level if config.levels == "attribute" else side.vector + attribute_level
