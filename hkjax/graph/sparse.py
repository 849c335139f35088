"""Products with a sparse matrix whose entries lie at the edges of a graph and are computed.

The matrix times a dense one is `weighted_sum`, its transpose `weighted_sum_transposed`, and a product
of two dense ones that is wanted at the edges alone `edge_products`. All three come from the trilinear
form of hkjax.graph.trilinear. Either sum runs in ascending order of what it sums into.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.graph.blocks import add_rows, inner, map_rows
from hkjax.graph.trilinear import partial_derivatives

NO_ROW = np.iinfo(np.int32).max


class Edges(NamedTuple):
    """The edges (row, column) of a sparse matrix.

    Attributes:
        rows: int32 [edges], ascending; an edge of row NO_ROW stands for none.
        columns: int32 [edges].
        by_column: int32 [edges], the edges in ascending order of their columns.
    """

    rows: jax.Array
    columns: jax.Array
    by_column: jax.Array


def make_edges(rows: np.ndarray, columns: np.ndarray) -> tuple[Edges, np.ndarray]:
    """Sorts edges, given as two int arrays [edges], on the host; returns them and their order [edges]."""
    order = np.argsort(rows, kind="stable")
    by_column = np.argsort(columns[order], kind="stable")
    return Edges(*(jnp.asarray(a, jnp.int32) for a in (rows[order], columns[order], by_column))), order


def divide_edges(edges: Edges, n: int) -> Edges:
    """Divides edges into n equal shares, arrays [n, ceil(edges / n)], filled up with edges that stand for none."""
    rows, columns = (divide(a, n, fill) for a, fill in ((edges.rows, NO_ROW), (edges.columns, 0)))
    by_column = np.argsort(columns, axis=1, kind="stable")
    return Edges(*(jnp.asarray(a, jnp.int32) for a in (rows, columns, by_column)))


def divide(values: jax.Array, n: int, fill: int) -> np.ndarray:
    """Cuts values [edges] into n equal shares [n, ceil(edges / n)], filled up, on the host."""
    host = np.asarray(values)
    return np.pad(host, (0, -host.size % n), constant_values=fill).reshape(n, -1)


def keep_edges(edges: Edges, kept: jax.Array, size: int) -> tuple[Edges, jax.Array]:
    """Keeps some edges, in their order and without sorting.

    Args:
        edges: the edges.
        kept: bool [edges], `size` of them true.
        size: number of edges to keep.

    Returns:
        The kept edges, and their places among all, int32 [size].
    """
    places = jnp.nonzero(kept, size=size)[0]
    renumbered = jnp.cumsum(kept, dtype=jnp.int32) - 1
    in_order = edges.by_column[jnp.nonzero(kept[edges.by_column], size=size)[0]]
    return Edges(edges.rows[places], edges.columns[places], renumbered[in_order]), places


def weighted_sum(weights: jax.Array, x: jax.Array, edges: Edges, n_rows: int) -> jax.Array:
    """Sums each row's weighted columns, y_i = sum of w_e x_j: [n_rows, d] from weights [edges] and x [columns, d]."""
    return _by_rows(weights, x, *edges, n=n_rows)


def weighted_sum_transposed(weights: jax.Array, y: jax.Array, edges: Edges, n_columns: int) -> jax.Array:
    """Sums each column's weighted rows, x_j = sum of w_e y_i: [n_columns, d] from weights [edges] and y [rows, d]."""
    return _by_columns(weights, y, *edges, n=n_columns)


def edge_products(y: jax.Array, x: jax.Array, edges: Edges) -> jax.Array:
    """Inner products of row and column at every edge: [edges] from y [rows, d] and x [columns, d]."""
    return _by_weights(y, x, *edges, n=edges.rows.shape[0])


def _products(
    y: jax.Array, x: jax.Array, rows: jax.Array, columns: jax.Array, by_column: jax.Array, n: int
) -> jax.Array:
    del by_column, n
    products = map_rows(lambda ends: inner(y[ends[0]], x[ends[1]]), (rows, columns))
    return jnp.where(rows < y.shape[0], products, 0)


def _row_sums(
    weights: jax.Array, x: jax.Array, rows: jax.Array, columns: jax.Array, by_column: jax.Array, n: int
) -> jax.Array:
    del by_column
    return _sum(rows, weights, columns, x, n)


def _column_sums(
    weights: jax.Array, y: jax.Array, rows: jax.Array, columns: jax.Array, by_column: jax.Array, n: int
) -> jax.Array:
    weights = jnp.where(rows < y.shape[0], weights, 0)
    return _sum(columns[by_column], weights[by_column], rows[by_column], y, n)


def _sum(targets: jax.Array, weights: jax.Array, sources: jax.Array, x: jax.Array, n: int) -> jax.Array:
    """Sums w_e x[source_e] into row target_e of [n, d], the targets ascending."""

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> jax.Array:
        targets, weights, sources = block
        return total.at[targets].add(weights[:, None] * x[sources], indices_are_sorted=True, mode="drop")

    return add_rows(add, jnp.zeros((n, x.shape[1]), x.dtype), (targets, weights, sources), (NO_ROW, 0, 0))


_by_weights, _by_rows, _by_columns = partial_derivatives("sparse", _products, _row_sums, _column_sums)
