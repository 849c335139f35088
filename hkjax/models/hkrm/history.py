"""The query side of HKRM over whole histories: which items count, with which weights (eq. 2 and 4)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.data.batching import RaggedLayout
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.inputs import HKRMInputs
from hkjax.models.hkrm.parameters import HKRMParameters
from hkjax.models.hkrm.proximity import proximity_softmax
from hkjax.ops.lookup import take_whole
from hkjax.ops.segment import segment_mean, segment_softmax, segment_sum


class History(NamedTuple):
    """The histories of B rows, laid end to end.

    Attributes:
        row: int [positions], ascending, the row that a position belongs to.
        interaction: int [positions], the number of the interaction.
        item: int [positions].
        kept: bool [positions], false for padding and for what is excluded.
        n_kept: items kept of each row, m of eq. 2, [B].
    """

    row: jax.Array
    interaction: jax.Array
    item: jax.Array
    kept: jax.Array
    n_kept: jax.Array


def read_history(inputs: HKRMInputs, users: jax.Array, layout: RaggedLayout, excluded: jax.Array) -> History:
    """The histories of the users [B], each without its item of `excluded` [B]; -1 excludes none."""
    histories, user = inputs.histories, users[layout.row]
    interaction = jnp.minimum(histories.start[user] + layout.position, histories.items.shape[0] - 1)
    item = histories.items[interaction]
    kept = (layout.position < histories.length[user]) & (item != excluded[layout.row])
    return History(layout.row, interaction, item, kept, segment_sum(kept.astype(jnp.int32), layout.row, users.shape[0]))


def query_weights(config: HKRMConfig, p: HKRMParameters, history: History) -> jax.Array:
    """w of eq. 2: the softmax of p_i / m over each history, [positions]."""
    reciprocal = (1 / jnp.maximum(history.n_kept, 1).astype(p.entity.dtype))[history.row]
    if p.query_weight is None:
        return jnp.where(history.kept, reciprocal, 0)
    logits = take_whole(p.query_weight, history.item if config.query_weight == "item" else history.interaction)
    return segment_softmax(logits * reciprocal, history.row, history.n_kept.shape[0], history.kept)


def field_probabilities(config: HKRMConfig, logits: jax.Array, mask: jax.Array, history: History) -> jax.Array:
    """P(A|q) of eq. 4, [B, n], from the logits and the field mask of each position, [positions, n]."""
    n_rows = history.n_kept.shape[0]
    if config.pooling == "mean":
        pooled = segment_mean(proximity_softmax(logits, mask), history.row, n_rows, history.kept)
    else:
        row = jnp.broadcast_to(history.row[:, None], logits.shape).reshape(-1)
        where = (mask & history.kept[:, None]).reshape(-1)
        joint = segment_softmax(logits.reshape(-1), row, n_rows, where)
        pooled = segment_sum(joint.reshape(logits.shape), history.row, n_rows)
    # Nothing to pool: the history is empty or, under `joint`, has no field. All fields count alike.
    return jnp.where(pooled.sum(-1, keepdims=True) == 0, 1 / logits.shape[1], pooled)
