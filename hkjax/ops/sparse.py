"""Products with a sparse matrix that has an entry for each edge (row, column) of a graph.

`spmm` multiplies the matrix with a dense one, `spmm_transposed` its transpose, and `sddmm` takes a product of two
dense matrices only at the edges. All three come from one trilinear form (`hkjax.ops.autodiff.bilinear`). `spmm` and
`spmm_transposed` add edges in ascending order of the output's rows: an unordered scatter is slow on every backend.

Docstrings describe whole arrays. On a mesh of devices, tables and edges are this device's part of them
(`hkjax.ops.collectives`), while n_rows and n_columns count all rows.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.autodiff.bilinear import bilinear_primitives
from hkjax.ops.autodiff.recompute import keep
from hkjax.ops.collectives import DATA, ROWS, psum
from hkjax.ops.columns import reduce_columns, sum_columns
from hkjax.ops.lowerings.blocks import add_rows, map_rows
from hkjax.ops.rows import row_dot
from hkjax.ops.segment import PADDING_ROW, segment_sum
from hkjax.shapes import check_rank, check_same_shape, check_suffix


class Edges(NamedTuple):
    """The edges (row, column) of a sparse matrix.

    Attributes:
        rows: int32 [edges], ascending; an edge of row PADDING_ROW is padding and counts nowhere.
        columns: int32 [edges].
        csc_order: int32 [edges], the edges in ascending order of their columns.
        csc_rows, csc_columns: int32 [edges], the rows and columns in that order.
        attr: an attribute of the edges, such as a relation id or a weight; [edges], or None.
    """

    rows: jax.Array
    columns: jax.Array
    csc_order: jax.Array
    csc_rows: jax.Array
    csc_columns: jax.Array
    attr: Any = None


def make_edges(rows: np.ndarray, columns: np.ndarray, attr: np.ndarray | None = None) -> Edges:
    """Sorts edges, given as arrays [edges], on the host."""
    order = np.argsort(rows, kind="stable")
    carried = None if attr is None else np.asarray(attr)[order]
    return _with_csc_order(rows[order], columns[order], carried)


def shard_edges(edges: Edges, n: int) -> Edges:
    """Divides edges into n equal parts on the host: arrays [n, ceil(edges / n)], padded."""
    rows, columns = (_cut(x, n, fill) for x, fill in ((edges.rows, PADDING_ROW), (edges.columns, 0)))
    return _with_csc_order(rows, columns, None if edges.attr is None else _cut(edges.attr, n, 0))


def spmm(weights: jax.Array, x: jax.Array, edges: Edges, n_rows: int) -> jax.Array:
    """Multiplies the matrix with x: y_i = sum over the edges (i, j) of w_e x_j.

    Args:
        weights: the matrix's entries w, [edges], or [1] where all are the same.
        x: [columns, d].
        edges: where the entries lie.
        n_rows: number of rows of the matrix.

    Returns:
        [n_rows, d].
    """
    _check_weights("spmm", weights, edges)
    check_rank("spmm", 2, x=x)
    return keep(psum(reduce_columns(lambda x: local_spmm(weights, x, edges, n_rows), [x]), DATA))


def spmm_transposed(weights: jax.Array, y: jax.Array, edges: Edges, n_columns: int) -> jax.Array:
    """Multiplies the transpose with y: x_j = sum over (i, j) of w_e y_i, [n_columns, d]; arguments as in `spmm`."""
    _check_weights("spmm_transposed", weights, edges)
    check_rank("spmm_transposed", 2, y=y)

    def sums(y: jax.Array) -> jax.Array:
        return _by_columns(weights, y, *edges[:5], n=n_columns)

    return keep(psum(reduce_columns(sums, [y]), DATA))


def sddmm(y: jax.Array, x: jax.Array, edges: Edges) -> jax.Array:
    """Computes the inner products <y_i, x_j> at the edges (i, j): [edges] from y [rows, d] and x [columns, d]."""
    check_rank("sddmm", 2, y=y, x=x)
    check_suffix("sddmm", y=y, x=x)
    return sum_columns(lambda y, x: local_sddmm(y, x, edges), [y, x])


def take_columns(x: jax.Array, edges: Edges) -> jax.Array:
    """Reads rows of x [columns, d] by the edges' columns, [edges, d]; the transpose adds in the order of columns."""
    return _take(jnp.ones(1, x.dtype), x, *edges[1:5], n=edges.rows.shape[0])


def add_columns(y: jax.Array, edges: Edges, n_columns: int) -> jax.Array:
    """Adds up rows of y [edges, d] by the edges' columns, [n_columns, d]: the transpose of `take_columns`."""
    return _add(jnp.ones(1, y.dtype), y, *edges[1:5], n=n_columns)


def edge_mean(values: jax.Array, edges: Edges) -> jax.Array:
    """Computes the mean of values [edges] over all edges; 0 if there are none."""
    check_same_shape("edge_mean", values=values, edges=edges.rows)
    real = edges.rows != PADDING_ROW
    total, count = (psum(jnp.sum(x), DATA, ROWS) for x in (jnp.where(real, values, 0), real))
    return total / jnp.maximum(count, 1)


def local_spmm(weights: jax.Array, x: jax.Array, edges: Edges, n_rows: int) -> jax.Array:
    """Computes `spmm` without collectives, of this device's edges and of x with all its rows [columns, d]."""
    return _by_rows(weights, x, *edges[:5], n=n_rows)


def local_sddmm(y: jax.Array, x: jax.Array, edges: Edges) -> jax.Array:
    """Computes `sddmm` without collectives, of y and x with all their rows."""
    return _by_weights(y, x, *edges[:5], n=edges.rows.shape[0])


def _check_weights(function: str, weights: jax.Array, edges: Edges) -> None:
    check_rank(function, 1, weights=weights)
    check_same_shape(function, rows=edges.rows, columns=edges.columns)
    if weights.shape != (1,):
        check_same_shape(function, weights=weights, edges=edges.rows)


def _with_csc_order(rows: np.ndarray, columns: np.ndarray, attr: np.ndarray | None) -> Edges:
    order = np.argsort(columns, axis=-1, kind="stable")

    # `jnp.asarray` would compile a program for each shape.
    def int32(x: np.ndarray) -> jax.Array:
        return jax.device_put(np.array(x, np.int32))

    csc_rows, csc_columns = (np.take_along_axis(x, order, axis=-1) for x in (rows, columns))
    carried = None if attr is None else jnp.asarray(attr)
    return Edges(int32(rows), int32(columns), int32(order), int32(csc_rows), int32(csc_columns), carried)


def _cut(values: jax.Array, n: int, fill: int) -> np.ndarray:
    """Cuts [edges] into [n, ceil(edges / n)], padded."""
    host = np.asarray(values)
    return np.pad(host, (0, -host.size % n), constant_values=fill).reshape(n, -1)


# After the form's two arguments come the arrays of `Edges` before attr.
def _products(y: jax.Array, x: jax.Array, rows: jax.Array, columns: jax.Array, *csc: jax.Array, n: int) -> jax.Array:
    del csc
    products = map_rows(lambda ends: row_dot(y[ends[0]], x[ends[1]]), (rows, columns))
    products = jnp.where(rows < y.shape[0], products, 0)
    return products if n == products.size else jnp.sum(products, keepdims=True)


def _row_sums(w: jax.Array, x: jax.Array, rows: jax.Array, columns: jax.Array, *csc: jax.Array, n: int) -> jax.Array:
    del csc
    return _sum_by_target(rows, jnp.broadcast_to(w, rows.shape), columns, x, n)


def _column_sums(w: jax.Array, y: jax.Array, rows: jax.Array, columns: jax.Array, *csc: jax.Array, n: int) -> jax.Array:
    del rows, columns
    csc_order, csc_rows, csc_columns = csc
    weights = jnp.where(csc_rows < y.shape[0], w[csc_order] if w.size > 1 else w, 0)
    return _sum_by_target(csc_columns, weights, csc_rows, y, n)


def _sum_by_target(targets: jax.Array, weights: jax.Array, sources: jax.Array, x: jax.Array, n: int) -> jax.Array:
    """Adds w_e x[source_e] to row target_e of [n, d]; the targets ascend."""

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> jax.Array:
        targets, weights, sources = block
        return total.at[targets].add(weights[:, None] * x[sources], indices_are_sorted=True, mode="drop")

    return add_rows(add, jnp.zeros((n, x.shape[1]), x.dtype), (targets, weights, sources), (PADDING_ROW, 0, 0))


def _taken_sum(y: jax.Array, x: jax.Array, columns: jax.Array, *csc: jax.Array, n: int) -> jax.Array:
    del csc, n
    return jnp.sum(y * x[columns])[None]


def _taken(w: jax.Array, x: jax.Array, columns: jax.Array, *csc: jax.Array, n: int) -> jax.Array:
    del csc, n
    return w * x[columns]


def _added(w: jax.Array, y: jax.Array, columns: jax.Array, *csc: jax.Array, n: int) -> jax.Array:
    del columns
    csc_order, _, csc_columns = csc
    return w * segment_sum(y[csc_order], csc_columns, n)


# A form with one weight for all edges, and one edge for each row.
_, _take, _add = bilinear_primitives("take", _taken_sum, _taken, _added)
_by_weights, _by_rows, _by_columns = bilinear_primitives("sparse", _products, _row_sums, _column_sums)
