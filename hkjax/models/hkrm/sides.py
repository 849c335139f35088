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
from hkjax.models.hkrm.values import Values
from hkjax.ops.lookup import bag, take_rows


class Side(NamedTuple):
    """One side of the model, the queries or the targets of B rows.

    Attributes:
        vector: the item level, q_s or t_s, [B, d].
        probabilities: P(A|q) or P^(A|t), [B, n].
    """

    vector: jax.Array
    probabilities: jax.Array


def softmax_mask(config: HKRMConfig, inputs: HKRMInputs, items: jax.Array) -> jax.Array:
    """The fields [..., n] that take part in the softmaxes of the items [...]."""
    mask = inputs.field_mask[items]
    return mask if config.missing_fields == "mask" else jnp.ones_like(mask)


@jax.named_scope("target")
def target(
    config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, values: Values, items: jax.Array
) -> tuple[Side, jax.Array]:
    """The side of the items [B] (eq. 1 and 5), and log P^(A|t) [B, n]."""
    vector = take_rows(p.entity, items)
    logits = jax.vmap(proximity_logits, (0, None, 0))(values.of_items(items), p.relation, vector)
    mask = softmax_mask(config, inputs, items)
    return Side(vector, proximity_softmax(logits, mask)), proximity_log_softmax(logits, mask)


@jax.named_scope("query")
def query(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, values: Values, history: History) -> Side:
    """The side of the histories, q_s (eq. 1) and P(A|q) (eq. 4)."""
    n_rows = history.n_kept.shape[0]
    vector = bag(p.entity, history.item, query_weights(config, p, history), history.row, n_rows)
    vector = jnp.where(history.n_kept[:, None] > 0, vector, p.empty_query)
    related = jax.vmap(relate, (None, 0))(p.relation, vector)
    logits = values.segment_scores(related, history.item, history.row)
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
