"""Matrices [nodes, relations], read and filled at the edges of a graph.

They may come with some of their columns alone, those of the consecutive relations from numbers[0] on:
an edge of another relation reads 0 and fills nothing, so that what all parts read adds up. Columns past
the last relation are filling, of which only 0 is read and whose sums mean nothing.
"""

import jax
import jax.numpy as jnp


def entries(matrix: jax.Array, numbers: jax.Array, nodes: jax.Array, relation: jax.Array) -> jax.Array:
    """The entries at nodes [..., edges] and their relations [edges]: [..., edges] from [nodes, numbers]."""
    column, here = _column(relation, numbers)
    return jnp.where(here, matrix.at[nodes, column].get(mode="clip"), 0)


def sums(numbers: jax.Array, values: jax.Array, rows: jax.Array, relation: jax.Array, n_rows: int) -> jax.Array:
    """Adds values [edges] up at their rows and relations: [n_rows, numbers]; a row past them is left out."""
    column, here = _column(relation, numbers)
    return jnp.zeros((n_rows, numbers.size), values.dtype).at[rows, column].add(jnp.where(here, values, 0))


def _column(relation: jax.Array, numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
    column = relation - numbers[0]
    return column, (column >= 0) & (column < numbers.size)
