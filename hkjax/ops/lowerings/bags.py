"""The form whose partial derivatives are bags of rows, and scores of their members.

A member m of a segment s_m has the row i_m of a table, in which k rows of d numbers lie side by side. With weights w
and k vectors v of each segment,

    sum_m sum_j  w_mj <v_{s_m j}, t_{i_m j}>

is trilinear. By the weights its derivative is the members' scores, by the vectors the segments' weighted sums.
"""

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.autodiff.bilinear import bilinear_primitives
from hkjax.ops.lowerings.blocks import add_rows, map_rows
from hkjax.ops.rows import row_dot
from hkjax.ops.segment import segment_sum, sort_ids

_NOWHERE = np.iinfo(np.int32).max


def _scores(vectors: jax.Array, table: jax.Array, segments: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """[members, k] from vectors [segments, k, d] and a table [N, k d]; n members."""
    del n

    def scores(members: tuple[jax.Array, jax.Array]) -> jax.Array:
        segments, ids = members
        return row_dot(vectors[segments], table[ids].reshape(len(ids), *vectors.shape[1:]))

    return map_rows(scores, (segments, ids), width=vectors.shape[1])


def _segment_sums(weights: jax.Array, table: jax.Array, segments: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """[n, k, d] from weights [members, k] and a table [N, k d]; the segments ascend."""
    k = weights.shape[1]
    return _add(weights, table, ids, segments, n, ascending=True).reshape(n, k, table.shape[1] // k)


def _table_sums(weights: jax.Array, vectors: jax.Array, segments: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """[n, k d] from weights [members, k] and vectors [segments, k, d]."""
    return _add(weights, _side_by_side(vectors), segments, ids, n, ascending=False)


def _table_sums_in_order(
    weights: jax.Array, vectors: jax.Array, segments: jax.Array, ids: jax.Array, n: int
) -> jax.Array:
    """`_table_sums` in the order of the table's rows."""
    ids, members = sort_ids(ids)
    return _add(weights[members], _side_by_side(vectors), segments[members], ids, n, ascending=True)


def _add(
    weights: jax.Array, rows: jax.Array, sources: jax.Array, targets: jax.Array, n: int, ascending: bool
) -> jax.Array:
    """Adds each member's row of [R, k d], scaled, to its target: [n, k d]; whether the targets ascend."""

    def add(total: jax.Array, members: tuple[jax.Array, ...]) -> jax.Array:
        weights, sources, targets = members
        return total.at[targets].add(_scale(weights, rows[sources]), indices_are_sorted=ascending, mode="drop")

    total = jnp.zeros((n, rows.shape[1]), jnp.result_type(weights, rows))
    return add_rows(add, total, (weights, sources, targets), (0, 0, _NOWHERE))


def _side_by_side(vectors: jax.Array) -> jax.Array:
    """[n, k, d] as [n, k d]."""
    return vectors.reshape(len(vectors), vectors.shape[1] * vectors.shape[2])


# TPUs take a row's k parts one after the other: rows longer than a tile take them longer to compile.
def _scores_by_part(vectors: jax.Array, table: jax.Array, segments: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    del n
    parts = zip(jnp.moveaxis(vectors, 1, 0), jnp.split(table, vectors.shape[1], axis=1), strict=True)
    return jnp.stack([row_dot(v.at[segments].get(indices_are_sorted=True), t[ids]) for v, t in parts], axis=1)


def _segment_sums_by_part(
    weights: jax.Array, table: jax.Array, segments: jax.Array, ids: jax.Array, n: int
) -> jax.Array:
    parts = zip(weights.T, jnp.split(table, weights.shape[1], axis=1), strict=True)
    return jnp.stack([segment_sum(w[:, None] * t[ids], segments, n) for w, t in parts], axis=1)


def _table_sums_by_part(
    weights: jax.Array, vectors: jax.Array, segments: jax.Array, ids: jax.Array, n: int
) -> jax.Array:
    zeros = jnp.zeros((n, vectors.shape[2]), jnp.result_type(weights, vectors))
    parts = zip(weights.T, jnp.moveaxis(vectors, 1, 0), strict=True)
    return jnp.concatenate([zeros.at[ids].add(w[:, None] * v[segments]) for w, v in parts], axis=1)


def _scale(weights: jax.Array, rows: jax.Array) -> jax.Array:
    """Numbers [m, k] times rows [m, k d], k of which lie side by side."""
    d = rows.shape[1] // weights.shape[1]
    return (weights[..., None] * rows.reshape(*weights.shape, d)).reshape(rows.shape)


_by_part = _scores_by_part, _segment_sums_by_part, _table_sums_by_part
_in_order = None, None, _table_sums_in_order
member_scores, segment_sums, _ = bilinear_primitives(
    "members", _scores, _segment_sums, _table_sums, tpu=_by_part, cuda=_in_order
)
