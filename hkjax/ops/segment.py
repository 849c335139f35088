"""Sums, means and softmaxes over the members of a segment: the edges of a node, the items of a history."""

import chex
import jax
import jax.numpy as jnp

# How many members of a segment are added to one row, where there are many.
_PIECE = 256


def sort_ids(ids: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Ids [members] in ascending order, and the members in that order, int32: equal ids keep theirs."""
    in_order, members = jax.lax.sort_key_val(ids, jnp.arange(ids.size, dtype=jnp.int32))
    return in_order, members


def segment_sum(x: jax.Array, segments: jax.Array, n_segments: int) -> jax.Array:
    """Sums x [members, ...] by ascending segment numbers [members] into [n_segments, ...]."""
    return jax.ops.segment_sum(x, segments, n_segments, indices_are_sorted=True)


def segment_sum_by_pieces(x: jax.Array, segments: jax.Array, n_segments: int) -> jax.Array:
    """`segment_sum`; of few and long segments by their pieces: a GPU's threads would wait to add to the same rows."""
    n = segments.shape[0]
    if n <= _PIECE * n_segments:
        return segment_sum(x, segments, n_segments)
    begins = (jnp.arange(n) % _PIECE == 0) | (segments != jnp.roll(segments, 1))
    piece, n_pieces = jnp.cumsum(begins, dtype=jnp.int32) - 1, n_segments + -(-n // _PIECE)
    first = jnp.searchsorted(piece, jnp.arange(n_pieces, dtype=jnp.int32), method="scan_unrolled")
    of_piece = segments.at[first].get(mode="clip")  # Past the last there are empty ones.
    return segment_sum(segment_sum(x, piece, n_pieces), of_piece, n_segments)


def segment_mean(x: jax.Array, segments: jax.Array, n_segments: int, where: jax.Array) -> jax.Array:
    """Mean over the members of each segment.

    Args:
        x: [members, ...].
        segments: int [members], ascending.
        n_segments: number of segments.
        where: bool [members]; members of which it is false do not count.

    Returns:
        [n_segments, ...], 0 for a segment without a member.
    """
    chex.assert_equal_shape_prefix([x, segments, where], 1)
    ones = [1] * (x.ndim - 1)
    total = segment_sum(jnp.where(where.reshape(-1, *ones), x, 0), segments, n_segments)
    count = segment_sum(where.astype(x.dtype), segments, n_segments)
    return total / jnp.maximum(count, 1).reshape(-1, *ones)


def segment_softmax(logits: jax.Array, segments: jax.Array, n_segments: int, where: jax.Array) -> jax.Array:
    """Softmax over the members of each segment.

    Args:
        logits: [members].
        segments: int [members], ascending.
        n_segments: number of segments.
        where: bool [members]; members of which it is false get 0.

    Returns:
        [members], summing to 1 over each segment that has a member, and finite for all.
    """
    chex.assert_equal_shape([logits, segments, where])
    masked = jax.lax.stop_gradient(jnp.where(where, logits, -jnp.inf))
    top = jax.ops.segment_max(masked, segments, n_segments, indices_are_sorted=True)
    shift = jnp.where(jnp.isfinite(top), top, 0)[segments]
    weights = jnp.where(where, jnp.exp(jnp.where(where, logits - shift, 0)), 0)
    total = segment_sum(weights, segments, n_segments)
    return weights / jnp.where(total > 0, total, 1).at[segments].get(indices_are_sorted=True)
