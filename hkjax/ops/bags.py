"""A trilinear form: its partial derivatives are bags of rows, and scores of their members.

A member m of a segment s_m has the row i_m of a table. The row holds k parts of length d side by side. With weights w
and k vectors v of each segment,

    sum_m sum_j  w_mj <v_{s_m j}, t_{i_m j}>

is trilinear. Its derivative by the weights is the members' scores; by the vectors, the segments' weighted sums.
"""

import jax
import jax.numpy as jnp

from hkjax.ops.autodiff.bilinear import bilinear_primitives
from hkjax.ops.lowerings.blocks import add_rows, map_rows
from hkjax.ops.rows import row_dot
from hkjax.ops.segment import PADDING_ROW, sort_ids


def _scores(vectors: jax.Array, table: jax.Array, segments: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """Computes scores [members, k] from vectors [segments, k, d] and a table [N, k d]; n members."""
    del n

    def scores(members: tuple[jax.Array, jax.Array]) -> jax.Array:
        segments, ids = members
        return row_dot(vectors[segments], table[ids].reshape(len(ids), *vectors.shape[1:]))

    return map_rows(scores, (segments, ids), width=vectors.shape[1])


def _segment_sums(weights: jax.Array, table: jax.Array, segments: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """Computes [n, k, d] from weights [members, k] and a table [N, k d]; the segments ascend."""
    k = weights.shape[1]
    return _add(weights, table, ids, segments, n, ascending=True).reshape(n, k, table.shape[1] // k)


def _table_sums(weights: jax.Array, vectors: jax.Array, segments: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """Computes [n, k d] from weights [members, k] and vectors [segments, k, d]."""
    return _add(weights, _side_by_side(vectors), segments, ids, n, ascending=False)


def _table_sums_in_order(
    weights: jax.Array, vectors: jax.Array, segments: jax.Array, ids: jax.Array, n: int
) -> jax.Array:
    """Equals `_table_sums`, added in the order of the table's rows."""
    ids, members = sort_ids(ids)
    return _add(weights[members], _side_by_side(vectors), segments[members], ids, n, ascending=True)


def _add(
    weights: jax.Array, rows: jax.Array, sources: jax.Array, targets: jax.Array, n: int, ascending: bool
) -> jax.Array:
    """Adds each member's row of [R, k d], scaled, to its target: [n, k d]. `ascending`: whether the targets ascend."""

    def add(total: jax.Array, members: tuple[jax.Array, ...]) -> jax.Array:
        weights, sources, targets = members
        return total.at[targets].add(_scale(weights, rows[sources]), indices_are_sorted=ascending, mode="drop")

    total = jnp.zeros((n, rows.shape[1]), jnp.result_type(weights, rows))
    return add_rows(add, total, (weights, sources, targets), (0, 0, PADDING_ROW))


def _side_by_side(vectors: jax.Array) -> jax.Array:
    """Reshapes [n, k, d] to [n, k d]."""
    return vectors.reshape(len(vectors), vectors.shape[1] * vectors.shape[2])


def _scale(weights: jax.Array, rows: jax.Array) -> jax.Array:
    """Multiplies weights [m, k] with the k parts of rows [m, k d]."""
    d = rows.shape[1] // weights.shape[1]
    return (weights[..., None] * rows.reshape(*weights.shape, d)).reshape(rows.shape)


member_scores, segment_sums, table_sums = bilinear_primitives(
    "bags", _scores, _segment_sums, {"as they come": _table_sums, "in order": _table_sums_in_order}
)
