"""Products with a sparse matrix whose entries lie at the edges of a graph and are computed.

The three products

    add_weighted             y_i + sum of w_e x_j over the edges e = (i, j)    (matrix times dense)
    add_weighted_transposed  x_j + sum of w_e y_i over the edges e = (i, j)    (its transpose)
    edge_products            w_e = <y_i, x_j>                                  (dense times dense, at the edges only)

are each other's derivatives, so each has its own reverse rule in terms of the other two, to any
order. Either sum runs in ascending order of what it sums into. Forward-mode derivatives (jax.jvp)
are not defined for them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.graph.blocks import add_rows, inner, map_rows


class Edges(NamedTuple):
    """The edges (row, column) of a sparse matrix.

    Attributes:
        rows: int32 [edges], ascending; an edge whose row is the number of rows stands for none.
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


def divide_edges(edges: Edges, n: int, n_rows: int) -> Edges:
    """Divides edges into n equal shares, arrays [n, ceil(edges / n)].

    A share is filled up with edges of row `n_rows`, which stand for none.
    """
    rows, columns = (divide(a, n, fill) for a, fill in ((edges.rows, n_rows), (edges.columns, 0)))
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


@jax.custom_vjp
def add_weighted(total: jax.Array, weights: jax.Array, x: jax.Array, edges: Edges) -> jax.Array:
    """Adds to each row its weighted columns: [rows, d] from total [rows, d], weights [edges] and x [columns, d]."""
    return _add(total, edges.rows, weights, edges.columns, x)


@jax.custom_vjp
def add_weighted_transposed(total: jax.Array, weights: jax.Array, y: jax.Array, edges: Edges) -> jax.Array:
    """Adds to each column its weighted rows: [columns, d] from total [columns, d], weights [edges] and y [rows, d]."""
    order, weights = edges.by_column, jnp.where(edges.rows < y.shape[0], weights, 0)
    return _add(total, edges.columns[order], weights[order], edges.rows[order], y)


@jax.custom_vjp
def edge_products(y: jax.Array, x: jax.Array, edges: Edges) -> jax.Array:
    """Inner products of row and column at every edge: [edges] from y [rows, d] and x [columns, d]."""
    products = map_rows(lambda ends: inner(y[ends[0]], x[ends[1]]), (edges.rows, edges.columns))
    return jnp.where(edges.rows < y.shape[0], products, 0)


def _add(total: jax.Array, targets: jax.Array, weights: jax.Array, sources: jax.Array, x: jax.Array) -> jax.Array:
    """Adds w_e x[source_e] to row target_e of `total`, the targets ascending."""

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> jax.Array:
        targets, weights, sources = block
        return total.at[targets].add(weights[:, None] * x[sources], indices_are_sorted=True, mode="drop")

    return add_rows(add, total, (targets, weights, sources), (total.shape[0], 0, 0))


def _residuals(*values):
    # JAX 0.10 mistakes residuals that are the arguments themselves in the second derivative of a scan.
    return jax.lax.optimization_barrier(values)


def _add_forward(total, weights, x, edges):
    return add_weighted(total, weights, x, edges), _residuals(weights, x, edges)


def _add_backward(residuals, cotangent):
    weights, x, edges = residuals
    d_weights = edge_products(cotangent, x, edges)
    return cotangent, d_weights, add_weighted_transposed(jnp.zeros_like(x), weights, cotangent, edges), None


def _transposed_forward(total, weights, y, edges):
    return add_weighted_transposed(total, weights, y, edges), _residuals(weights, y, edges)


def _transposed_backward(residuals, cotangent):
    weights, y, edges = residuals
    d_weights = edge_products(y, cotangent, edges)
    return cotangent, d_weights, add_weighted(jnp.zeros_like(y), weights, cotangent, edges), None


def _edge_products_forward(y, x, edges):
    return edge_products(y, x, edges), _residuals(y, x, edges)


def _edge_products_backward(residuals, cotangent):
    y, x, edges = residuals
    d_y = add_weighted(jnp.zeros_like(y), cotangent, x, edges)
    return d_y, add_weighted_transposed(jnp.zeros_like(x), cotangent, y, edges), None


add_weighted.defvjp(_add_forward, _add_backward)
add_weighted_transposed.defvjp(_transposed_forward, _transposed_backward)
edge_products.defvjp(_edge_products_forward, _edge_products_backward)
