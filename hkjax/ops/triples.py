"""Mean messages along the triples (head, relation, tail) of a knowledge graph.

The graph is `hkjax.ops.sparse.Edges`: rows are heads, columns are tails, attr are relation ids. A message is
alpha h + beta t + gamma r (`hkjax.ops.messages`).

There are two ways. By edge scalars: inner products, coefficients and weighted sums, without an array of the size
[edges, d]. By edge rows: messages as rows (`hkjax.ops.lowerings.edge_rows`).
"""

from functools import partial

import jax
import jax.numpy as jnp

from hkjax.ops.autodiff.recompute import keep
from hkjax.ops.collectives import DATA, ROWS, all_gather, axis_size, psum, psum_scatter
from hkjax.ops.columns import reduce_columns, sum_columns
from hkjax.ops.lookup import take_whole
from hkjax.ops.lowerings import edge_rows
from hkjax.ops.lowerings.table import by_platform
from hkjax.ops.messages import Coefficients, CoefficientsOf, Gram, edge_coefficients
from hkjax.ops.segment import segment_sum
from hkjax.ops.sparse import Edges, local_sddmm, local_spmm
from hkjax.shapes import check_rank, check_same_shape, check_suffix


def mean_message(
    coefficients_of: CoefficientsOf, entity: jax.Array, relation: jax.Array, graph: Edges, hold_rows: bool = True
) -> jax.Array:
    """Computes the mean message over each head's edges, by coefficients that follow from inner products.

    Args:
        coefficients_of: maps each edge by itself, arrays [edges] to arrays [edges].
        entity: [entities, d].
        relation: [relations, d].
        graph: the triples.
        hold_rows: whether arrays [edges, d] may be held where that is faster; not for a whole graph.

    Returns:
        [entities, d], 0 for an entity that heads no edge.

    Example:
        >>> sums = lambda gram: Coefficients(*jnp.ones((3, gram.hh.size)))
        >>> graph = make_edges(np.array([0, 0]), np.array([1, 2]), np.array([0, 0]))
        >>> mean_message(sums, jnp.array([[1.0], [2.0], [4.0]]), jnp.array([[10.0]]), graph).ravel().tolist()
        [14.0, 0.0, 0.0]
    """

    def by_edge_scalars(entity: jax.Array, relation: jax.Array, graph: Edges) -> tuple[jax.Array, jax.Array]:
        coefficients = edge_coefficients(coefficients_of, edge_gram(entity, relation, graph))
        return sum_weighted(coefficients, entity, relation, graph)

    ways = {"edge scalars": by_edge_scalars}
    if hold_rows and axis_size(ROWS) == 1:  # With divided tables no device has all rows.
        ways["edge rows"] = partial(edge_rows.sum_messages, coefficients_of)
    total, count = by_platform("mean_message", ways, entity, relation, graph)
    # Constant and kept: otherwise the reverse pass would add up all messages again.
    count = keep(jax.lax.stop_gradient(jnp.maximum(count, 1)))
    return keep(total / count[:, None])


def edge_gram(entity: jax.Array, relation: jax.Array, graph: Edges) -> Gram:
    """Computes the Gram matrix of every edge's head, tail and relation.

    Args:
        entity: [entities, d].
        relation: [relations, d].
        graph: the triples.

    Returns:
        Arrays [edges].
    """
    check_rank("edge_gram", 2, entity=entity, relation=relation)
    check_suffix("edge_gram", entity=entity, relation=relation)
    check_same_shape("edge_gram", rows=graph.rows, columns=graph.columns, attr=graph.attr)
    ends = jnp.stack([graph.rows, graph.columns])
    hh, tt = take_whole(all_gather(jnp.sum(entity**2, axis=-1)), ends)
    entries_at_ends = partial(_entries, nodes=ends, relation=graph.attr)
    hr, tr = sum_columns(entries_at_ends, [entity @ relation.T], [jnp.arange(relation.shape[0])])
    rr = take_whole(jnp.sum(relation**2, axis=-1), graph.attr)
    ht = sum_columns(lambda entity: local_sddmm(entity, entity, graph), [entity])
    return Gram(*(keep(x) for x in (hh, tt, rr, ht, hr, tr)))


def sum_weighted(
    coefficients: Coefficients, entity: jax.Array, relation: jax.Array, graph: Edges
) -> tuple[jax.Array, jax.Array]:
    """Sums alpha h + beta t + gamma r over the edges of each head, [entities, d], and counts them, [entities].

    Args:
        coefficients: arrays [edges].
        entity: [entities, d].
        relation: [relations, d].
        graph: the triples.
    """
    check_same_shape("sum_weighted", **coefficients._asdict(), edges=graph.rows)
    alpha, beta, gamma = (keep(x) for x in coefficients)
    n, relation_ids = entity.shape[0] * axis_size(ROWS), jnp.arange(relation.shape[0])
    sums_by_relation = partial(_sums, values=gamma, rows=graph.rows, relation=graph.attr, n_rows=n)
    total = psum_scatter(segment_sum(alpha, graph.rows, n))[:, None] * entity
    total += reduce_columns(sums_by_relation, [], [relation_ids]) @ relation
    total += reduce_columns(lambda entity: local_spmm(beta, entity, graph, n), [entity])
    count = psum_scatter(segment_sum(jnp.ones_like(alpha), graph.rows, n))
    return psum(total, DATA), psum(count, DATA)


def _entries(matrix: jax.Array, numbers: jax.Array, nodes: jax.Array, relation: jax.Array) -> jax.Array:
    """Reads the entries of a matrix [nodes, relations] at edges, from some consecutive columns of it.

    Args:
        matrix: its columns numbers[0], numbers[0] + 1, ...; columns past the last relation are padding.
        numbers: int [columns], the columns' indices.
        nodes: int [..., edges].
        relation: int [edges].

    Returns:
        [..., edges], 0 where an edge's relation is not among the columns.
    """
    column, here = _column(relation, numbers)
    return jnp.where(here, matrix.at[nodes, column].get(mode="clip"), 0)


def _sums(numbers: jax.Array, values: jax.Array, rows: jax.Array, relation: jax.Array, n_rows: int) -> jax.Array:
    """Sums values [edges] by row and relation: [n_rows, columns], `numbers` as in `_entries`; padding adds nothing."""
    column, here = _column(relation, numbers)
    return jnp.zeros((n_rows, numbers.size), values.dtype).at[rows, column].add(jnp.where(here, values, 0))


def _column(relation: jax.Array, numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
    column = relation - numbers[0]
    return column, (column >= 0) & (column < numbers.size)
