"""Lookups in tables: rows by id, weighted sums of rows, inner products with rows.

Each is a function of whole arrays. On a mesh of devices a table stands for this device's rows of it, while ids count
all rows of the whole table (`hkjax.ops.collectives`). `table[ids]`, `table[:n]` and `jnp.sum(table)` would see only
this device's rows: use these functions instead.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from hkjax.ops.autodiff.transpose import with_transpose
from hkjax.ops.bags import member_scores, segment_sums
from hkjax.ops.collectives import ROWS, all_gather, axis_size, pad_rows, psum
from hkjax.ops.columns import map_columns, sum_columns
from hkjax.ops.lowerings import in_order, one_hot
from hkjax.ops.lowerings.table import by_platform
from hkjax.ops.segment import segment_sum
from hkjax.shapes import check_integers, check_rank, check_same_shape


def num_local_rows(n: int) -> int:
    """Returns how many rows of a table of n rows this device holds: all n on one device."""
    return -(-n // axis_size(ROWS))


def padded_size(n: int) -> int:
    """Rounds n up to a multiple of the devices that tables are divided among: n on one device."""
    return num_local_rows(n) * axis_size(ROWS)


def local_rows(x: jax.Array, fill: int = 0) -> jax.Array:
    """Returns this device's rows of an array [n, ...] that every device has whole.

    Args:
        x: [n, ...].
        fill: the padding value of rows past the last.

    Returns:
        [num_local_rows(n), ...]; x itself on one device.
    """
    n_shards = axis_size(ROWS)
    if n_shards == 1:
        return x
    size = num_local_rows(x.shape[0])
    return jax.lax.dynamic_slice_in_dim(pad_rows(x, n_shards, fill), jax.lax.axis_index(ROWS) * size, size)


def leading_rows(table: jax.Array, n: int) -> jax.Array:
    """Returns the first n rows of a table [rows, d], as a table of its own."""
    return map_columns(lambda table: local_rows(table[:n]), [table])


def take_rows(table: jax.Array, ids: jax.Array) -> jax.Array:
    """Reads the rows of a table [rows, d] with the given ids [...], which must be in range: [..., d]."""
    check_rank("take_rows", 2, table=table)
    check_integers("take_rows", ids=ids)
    n_shards = axis_size(ROWS)
    if n_shards == 1:
        return _take(table, ids)
    # Each device reads the rows that it holds, for all devices' ids; the sum sends each row to its reader.
    wanted = all_gather(ids.reshape(-1)) - jax.lax.axis_index(ROWS) * table.shape[0]
    held = (wanted >= 0) & (wanted < table.shape[0])
    rows = jnp.where(held[:, None], _take(table, jnp.clip(wanted, 0, table.shape[0] - 1)), 0)
    return jax.lax.psum_scatter(rows, ROWS, tiled=True).reshape(*ids.shape, table.shape[-1])


def _add_as_they_come(table: jax.Array, ids: jax.Array, rows: jax.Array) -> jax.Array:
    """Adds up rows [n, d] by their ids [n], as a table [rows, d]: the transpose of reading its rows."""
    return jnp.zeros_like(table).at[ids].add(rows)


def _add_back(table: jax.Array, ids: jax.Array, rows: jax.Array) -> jax.Array:
    ways = {"as they come": _add_as_they_come, "in order": in_order.add_by_id}
    return by_platform("add_by_id", ways, table, ids.reshape(-1), rows.reshape(ids.size, *table.shape[1:]))


_take = with_transpose(lambda table, ids: table[ids], _add_back)


def take_whole(x: jax.Array, ids: jax.Array) -> jax.Array:
    """Reads the entries with the given ids [...] of an array [n] or [n, d] that every device has whole.

    An id past the end reads the last entry.
    """
    check_rank("take_whole", {1, 2}, x=x)
    return _take(x, jnp.minimum(ids, len(x) - 1))


def take_relations(relation: jax.Array, ids: jax.Array) -> jax.Array:
    """Reads rows of a table [relations, d] that every device has whole, by ids [edges]: [edges, d]."""
    ways: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {"read": take_whole}
    # A compiler may hold the one-hot rows, which must not be far larger than those of the relations.
    if relation.shape[0] <= 8 * relation.shape[1]:
        ways["one-hot products"] = one_hot.take_few
    return by_platform("take_relations", ways, relation, ids)


def bag(table: jax.Array, ids: jax.Array, weights: jax.Array, segments: jax.Array, n: int) -> jax.Array:
    """Computes weighted sums of rows, one for each segment: torch's EmbeddingBag.

    Args:
        table: [rows, d].
        ids: int [members], the row of each member.
        weights: [members].
        segments: int [members], ascending.
        n: number of segments.

    Returns:
        [n, d].
    """
    check_rank("bag", 2, table=table)
    check_same_shape("bag", ids=ids, weights=weights, segments=segments)
    # `map_columns` sends all rows to every device. If members are few, only their rows, at most two shards, are sent.
    if axis_size(ROWS) > 1 and ids.size * axis_size(ROWS) <= 2 * table.shape[0]:
        return segment_sum(weights[:, None] * take_rows(table, ids), segments, n)
    return map_columns(lambda table: segment_sums(weights[:, None], table, segments, ids, n=n)[:, 0], [table])


def segment_scores(vectors: jax.Array, table: jax.Array, ids: jax.Array, segments: jax.Array) -> jax.Array:
    """Computes inner products of the members' rows with vectors of their segments.

    Args:
        vectors: [segments, k, d].
        table: [rows, k d], k rows of length d side by side.
        ids: int [members].
        segments: int [members], ascending.

    Returns:
        [members, k]; entry (i, j) is the product of the j-th part of row ids[i] with vectors[segments[i], j].
    """
    check_rank("segment_scores", 3, vectors=vectors)
    check_rank("segment_scores", 2, table=table)
    check_rank("segment_scores", 1, ids=ids, segments=segments)
    check_same_shape("segment_scores", ids=ids, segments=segments)
    _, k, d = vectors.shape
    assert table.shape[1] == k * d, f"segment_scores: table {list(table.shape)} for vectors {list(vectors.shape)}"

    def scores(table: jax.Array, vectors: jax.Array) -> jax.Array:
        return member_scores(vectors, table.reshape(len(table), k * table.shape[2]), segments, ids, n=ids.size)

    return sum_columns(scores, [table.reshape(len(table), k, d)], [vectors])


def square_norm(table: jax.Array) -> jax.Array:
    """Computes the sum of all squared entries of a table [rows, d]."""
    return psum(jnp.sum(table**2), ROWS)
