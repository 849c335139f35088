"""HKRM's two sides, queries and targets, each at the item level and the attribute level, for many rows at once.

`equations.py` defines the formulas and the letters. Here the histories of a batch lie end to end, so that eq. 2 and 4
are softmaxes over segments.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.data.batching import RaggedLayout
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.equations import attribute_level, importance, proximity_logits
from hkjax.models.hkrm.inputs import HKRMInputs
from hkjax.models.hkrm.parameters import HKRMParameters
from hkjax.models.hkrm.softmax import proximity_log_softmax, proximity_softmax, relate
from hkjax.models.hkrm.values import Values
from hkjax.ops.lookup import bag, take_rows, take_whole
from hkjax.ops.segment import segment_mean, segment_softmax, segment_sum


class History(NamedTuple):
    """The histories of B rows, laid end to end.

    Attributes:
        row: int [positions], ascending, the row that a position belongs to.
        interaction: int [positions], the index of the interaction.
        item: int [positions].
        kept: bool [positions], false for padding and for excluded items.
        n_kept: the number of kept items of each row, m of eq. 2, [B].
    """

    row: jax.Array
    interaction: jax.Array
    item: jax.Array
    kept: jax.Array
    n_kept: jax.Array


def read_history(inputs: HKRMInputs, users: jax.Array, layout: RaggedLayout, excluded: jax.Array) -> History:
    """Reads the histories of the users [B], each without its item of `excluded` [B]; -1 excludes none."""
    histories, user = inputs.histories, users[layout.row]
    interaction = jnp.minimum(histories.start[user] + layout.position, histories.values.shape[0] - 1)
    item = histories.values[interaction]
    kept = (layout.position < histories.length[user]) & (item != excluded[layout.row])
    return History(layout.row, interaction, item, kept, segment_sum(kept.astype(jnp.int32), layout.row, users.shape[0]))


def query_weights(config: HKRMConfig, p: HKRMParameters, history: History) -> jax.Array:
    """Computes w of eq. 2: the softmax of p_i / m over each history, [positions]."""
    reciprocal = (1 / jnp.maximum(history.n_kept, 1).astype(p.entity.dtype))[history.row]
    if p.query_weight is None:
        return jnp.where(history.kept, reciprocal, 0)
    logits = take_whole(p.query_weight, history.item if config.query_weight == "item" else history.interaction)
    return segment_softmax(logits * reciprocal, history.row, history.n_kept.shape[0], history.kept)


def field_probabilities(config: HKRMConfig, logits: jax.Array, mask: jax.Array, history: History) -> jax.Array:
    """Computes P(A|q) of eq. 4, [B, n], from the logits and the field mask of each position, [positions, n]."""
    n_rows = history.n_kept.shape[0]
    if config.pooling == "mean":
        pooled = segment_mean(proximity_softmax(logits, mask), history.row, n_rows, history.kept)
    else:
        row = jnp.broadcast_to(history.row[:, None], logits.shape).reshape(-1)
        where = (mask & history.kept[:, None]).reshape(-1)
        joint = segment_softmax(logits.reshape(-1), row, n_rows, where)
        pooled = segment_sum(joint.reshape(logits.shape), history.row, n_rows)
    # Nothing to pool: the history is empty or, under `joint`, has no field. All fields are equally likely.
    return jnp.where(pooled.sum(-1, keepdims=True) == 0, 1 / logits.shape[1], pooled)


class Side(NamedTuple):
    """One side of the model, the queries or the targets of B rows.

    Attributes:
        vector: the item level, q_s or t_s, [B, d].
        probabilities: P(A|q) or P^(A|t), [B, n].
    """

    vector: jax.Array
    probabilities: jax.Array


def softmax_mask(config: HKRMConfig, inputs: HKRMInputs, items: jax.Array) -> jax.Array:
    """Returns the fields [..., n] that take part in the softmaxes of the items [...]."""
    mask = inputs.field_mask[items]
    return mask if config.missing_fields == "mask" else jnp.ones_like(mask)


@jax.named_scope("target")
def target(
    config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, values: Values, items: jax.Array
) -> tuple[Side, jax.Array]:
    """Computes the side of the items [B] (eq. 1 and 5), and log P^(A|t) [B, n]."""
    vector = take_rows(p.entity, items)
    logits = jax.vmap(proximity_logits, (0, None, 0))(values.of_items(items), p.relation, vector)
    mask = softmax_mask(config, inputs, items)
    return Side(vector, importance(logits, mask)), proximity_log_softmax(logits, mask)


@jax.named_scope("query")
def query(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, values: Values, history: History) -> Side:
    """Computes the side of the histories, q_s (eq. 1) and P(A|q) (eq. 4)."""
    n_rows = history.n_kept.shape[0]
    vector = bag(p.entity, history.item, query_weights(config, p, history), history.row, n_rows)
    vector = jnp.where(history.n_kept[:, None] > 0, vector, p.empty_query)
    related = jax.vmap(relate, (None, 0))(p.relation, vector)
    logits = values.segment_scores(related, history.item, history.row)
    return Side(vector, field_probabilities(config, logits, softmax_mask(config, inputs, history.item), history))


def duet_vector(config: HKRMConfig, p: HKRMParameters, side: Side) -> jax.Array:
    """Computes a side's vector, [B, d]; the inner product of both sides' vectors is eq. 10.

    Its four terms factor: q_s.t_s + q_A.t_A + q_s.t_A + q_A.t_s = (q_s + q_A).(t_s + t_A).
    """
    if config.levels == "item":
        return side.vector
    vector = attribute_level(side.probabilities, *p.hidden, *p.output)
    return vector if config.levels == "attribute" else side.vector + vector
