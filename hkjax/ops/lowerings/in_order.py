"""Sums in the order of their targets, so that every scatter is ordered.

In unordered scatters of GPUs, additions to one row wait for each other, and rounding differs from run to run.
"""

import jax
import jax.numpy as jnp

from hkjax.ops.lowerings.blocks import add_rows
from hkjax.ops.lowerings.threefry import unpack_bits
from hkjax.ops.segment import PADDING_ROW, segment_sum, sort_ids
from hkjax.precision import sum_dtype

# Long segments are added in pieces of at most this many members.
_PIECE = 256


def add_by_id(table: jax.Array, ids: jax.Array, rows: jax.Array) -> jax.Array:
    """Adds up rows [n, d] by their ids [n] in a table of zeros with the shape of `table`."""
    ids, members = sort_ids(ids)
    return segment_sum_by_pieces(rows[members], ids, table.shape[0])


def segment_sum_by_pieces(x: jax.Array, segments: jax.Array, n_segments: int) -> jax.Array:
    """Equals `segment_sum`. Adds few long segments in pieces: a GPU's threads would wait to add to the same rows."""
    n = segments.shape[0]
    if n <= _PIECE * n_segments:
        return segment_sum(x, segments, n_segments)
    begins = (jnp.arange(n) % _PIECE == 0) | (segments != jnp.roll(segments, 1))
    piece, n_pieces = jnp.cumsum(begins, dtype=jnp.int32) - 1, n_segments + -(-n // _PIECE)
    first = jnp.searchsorted(piece, jnp.arange(n_pieces, dtype=jnp.int32), method="scan_unrolled")
    of_piece = segments.at[first].get(mode="clip")  # Pieces past the last are empty.
    return segment_sum(segment_sum(x, piece, n_pieces), of_piece, n_segments)


def row_sums(weights: jax.Array, table: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """Sums weights [B, K, T] times the sampled rows of T tables [N, T d] by row: [n, d].

    All samples' rows, [B K, T d], are summed at once; a GPU's compiler does not store them.
    """
    n_tables, d = weights.shape[2], table.shape[1] // weights.shape[2]
    of_samples = table[ids.reshape(-1)].reshape(ids.size, n_tables, d) * weights.reshape(ids.size, n_tables, 1)
    row = jax.lax.broadcasted_iota(jnp.int32, ids.shape, 0).reshape(-1)
    return segment_sum(of_samples.astype(sum_dtype(weights.dtype, table.dtype)), row, n).sum(axis=1)


def table_sums(weights: jax.Array, rows: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """Sums weights [B, K, T] times rows [B, d] by the samples' ids: [n, T d]."""
    in_order, samples = sort_ids(ids.reshape(-1))
    of_samples = _side_by_side(weights.reshape(ids.size, -1)[samples], rows[samples // ids.shape[1]])
    return segment_sum(of_samples.astype(sum_dtype(weights.dtype, rows.dtype)), in_order, n)


def masked_sums(weights: jax.Array, y: jax.Array, *pairs: jax.Array, n: int) -> jax.Array:
    """Adds the masked rows of pairs at their first ends, then at their second ends, each in order: [n, d]."""
    first, second, order, bits, dimensions = pairs

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> jax.Array:
        w, here, there, bits = block
        mask = unpack_bits(bits, dimensions).astype(y.dtype)
        rows = mask * (w[:, 0:1] * y[here] + w[:, 1:2] / 2 * y[there])
        return total.at[here].add(rows, indices_are_sorted=True, mode="drop")

    total = jnp.zeros((n, y.shape[1]), y.dtype)
    total = add_rows(add, total, (weights, first, second, bits), (0, PADDING_ROW, 0, 0))
    at_second = (weights[order, ::-1], second[order], first[order], bits[order])
    return add_rows(add, total, at_second, (0, PADDING_ROW, 0, 0))


def _side_by_side(weights: jax.Array, rows: jax.Array) -> jax.Array:
    """Multiplies weights [..., T] with rows [..., d]; a row's products lie side by side: [..., T d]."""
    return jnp.concatenate([weights[..., t : t + 1] * rows for t in range(weights.shape[-1])], axis=-1)
