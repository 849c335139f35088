"""Ragged lists, and sums, means and softmaxes over segments: the edges of a node, the items of a history."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.shapes import check_prefix, check_same_shape

# The row, or segment, of padding: past the end of any table, where a scatter drops it.
PADDING_ROW = np.iinfo(np.int32).max


class Ragged(NamedTuple):
    """Lists of different lengths, one after another.

    Attributes:
        start, length: int32 [lists], where each list lies.
        values: [members].
        attr: an attribute of the members, such as relation ids; [members], or None.
    """

    start: Any
    length: Any
    values: Any
    attr: Any = None

    def of(self, k: int) -> tuple[Any, ...]:
        """Returns the values of list k and, if there are any, their attributes; on the host."""
        place = slice(self.start[k], self.start[k] + self.length[k])
        return (self.values[place],) if self.attr is None else (self.values[place], self.attr[place])


def make_ragged(owners: np.ndarray, values: np.ndarray, n: int, attr: np.ndarray | None = None) -> Ragged:
    """Groups values by their owners on the host; values keep their order.

    Args:
        owners: int [members], the list that each value belongs to.
        values: [members].
        n: number of lists.
        attr: [members].

    Returns:
        NumPy arrays.
    """
    order = np.argsort(owners, kind="stable")
    return Ragged(*offsets(owners, n), values[order], None if attr is None else attr[order])


def offsets(owners: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns start and length of each of n lists, int32 [n], from the owner of each member."""
    length = np.bincount(owners, minlength=n)
    return (np.cumsum(length) - length).astype(np.int32), length.astype(np.int32)


def sort_ids(ids: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns ids [members] in ascending order, and the members in that order, int32; equal ids keep theirs."""
    in_order, members = jax.lax.sort_key_val(ids, jnp.arange(ids.size, dtype=jnp.int32))
    return in_order, members


def segment_sum(x: jax.Array, segments: jax.Array, n_segments: int) -> jax.Array:
    """Sums x [members, ...] by ascending segment ids [members] into [n_segments, ...]."""
    return jax.ops.segment_sum(x, segments, n_segments, indices_are_sorted=True)


def segment_mean(x: jax.Array, segments: jax.Array, n_segments: int, where: jax.Array) -> jax.Array:
    """Computes the mean over the members of each segment.

    Args:
        x: [members, ...].
        segments: int [members], ascending.
        n_segments: number of segments.
        where: bool [members]; false for members that do not count.

    Returns:
        [n_segments, ...], 0 for a segment without a member.
    """
    check_prefix("segment_mean", x=x, segments=segments, where=where)
    ones = [1] * (x.ndim - 1)
    total = segment_sum(jnp.where(where.reshape(-1, *ones), x, 0), segments, n_segments)
    count = segment_sum(where.astype(x.dtype), segments, n_segments)
    return total / jnp.maximum(count, 1).reshape(-1, *ones)


def segment_softmax(logits: jax.Array, segments: jax.Array, n_segments: int, where: jax.Array) -> jax.Array:
    """Computes the softmax over the members of each segment.

    Args:
        logits: [members].
        segments: int [members], ascending.
        n_segments: number of segments.
        where: bool [members]; the result is 0 where it is false.

    Returns:
        [members], summing to 1 over each segment that has a member, and finite for all.
    """
    check_same_shape("segment_softmax", logits=logits, segments=segments, where=where)
    masked = jax.lax.stop_gradient(jnp.where(where, logits, -jnp.inf))
    top = jax.ops.segment_max(masked, segments, n_segments, indices_are_sorted=True)
    shift = jnp.where(jnp.isfinite(top), top, 0)[segments]
    weights = jnp.where(where, jnp.exp(jnp.where(where, logits - shift, 0)), 0)
    total = segment_sum(weights, segments, n_segments)
    return weights / jnp.where(total > 0, total, 1).at[segments].get(indices_are_sorted=True)
