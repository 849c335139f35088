"""Messages along the triples (head, relation, tail) of a knowledge graph.

The coefficients of a message alpha h + beta t + gamma r follow from the six inner products of head, tail and relation.
From the coefficients follows the mean of the messages over each head's edges (`mean_message`). The graph is
`hkjax.ops.sparse.Edges`: rows are heads, columns are tails, attr are relation ids.

There are two ways. By numbers: inner products (`edge_gram`), coefficients and weighted sums (`weighted_mean`), without
an array of the size [edges, d]: on CPUs, and where tables are divided. By rows: messages as rows, elsewhere, where
gathering a number takes as long as a row.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from hkjax.ops.autodiff.transpose import with_transpose
from hkjax.ops.collectives import DATA, ROWS, all_gather, axis_size, psum, psum_scatter
from hkjax.ops.columns import reduce_columns, sum_columns
from hkjax.ops.lookup import take_whole
from hkjax.ops.rows import row_dot
from hkjax.ops.segment import segment_sum
from hkjax.ops.sparse import Edges, add_columns, local_sddmm, local_spmm, take_columns


class Gram(NamedTuple):
    """Inner products of head, tail and relation; arrays of one shape."""

    hh: jax.Array
    tt: jax.Array
    rr: jax.Array
    ht: jax.Array
    hr: jax.Array
    tr: jax.Array


class Coefficients(NamedTuple):
    """Of vectors alpha h + beta t + gamma r; arrays of one shape."""

    alpha: jax.Array
    beta: jax.Array
    gamma: jax.Array


# Maps each edge by itself, arrays [edges] to arrays [edges].
CoefficientsOf = Callable[[Gram], Coefficients]

# What numbers of edges and their counts are called, for the policy of a `jax.checkpoint` that computes rows anew.
EDGE_SCALARS = "edge scalars"


def edge_gram(entity: jax.Array, relation: jax.Array, graph: Edges) -> Gram:
    """The Gram matrix of every edge's head, tail and relation.

    Args:
        entity: [entities, d].
        relation: [relations, d].
        graph: the triples.

    Returns:
        Arrays [edges].
    """
    chex.assert_rank([entity, relation], 2)
    chex.assert_equal_shape_suffix([entity, relation], 1)
    chex.assert_equal_shape([graph.rows, graph.columns, graph.attr])
    ends = jnp.stack([graph.rows, graph.columns])
    hh, tt = take_whole(all_gather(jnp.sum(entity**2, axis=-1)), ends)
    entries_at_ends = partial(_entries, nodes=ends, relation=graph.attr)
    hr, tr = sum_columns(entries_at_ends, [entity @ relation.T], [jnp.arange(relation.shape[0])])
    rr = take_whole(jnp.sum(relation**2, axis=-1), graph.attr)
    ht = sum_columns(lambda entity: local_sddmm(entity, entity, graph), [entity])
    return Gram(*(checkpoint_name(x, EDGE_SCALARS) for x in (hh, tt, rr, ht, hr, tr)))


def mean_message(coefficients_of: CoefficientsOf, entity: jax.Array, relation: jax.Array, graph: Edges) -> jax.Array:
    """The mean over the edges of each head of the messages whose coefficients follow from their Gram matrices.

    Args:
        coefficients_of: maps each edge by itself, arrays [edges] to arrays [edges].
        entity: [entities, d].
        relation: [relations, d].
        graph: the triples.

    Returns:
        [entities, d], 0 for an entity that heads no edge.
    """

    def by_numbers(entity: jax.Array, relation: jax.Array, graph: Edges) -> tuple[jax.Array, jax.Array]:
        return _sum_by_numbers(coefficients_of(edge_gram(entity, relation, graph)), entity, relation, graph)

    if axis_size(ROWS) > 1:  # No device has whole rows.
        return _mean(*by_numbers(entity, relation, graph))
    by_rows = partial(_sum_by_rows, coefficients_of)
    return _mean(*jax.lax.platform_dependent(entity, relation, graph, cpu=by_numbers, default=by_rows))


def row_messages(coefficients_of: CoefficientsOf, h: jax.Array, t: jax.Array, r: jax.Array) -> jax.Array:
    """The messages of edges from the rows of their heads, tails and relations: arrays [edges, d]."""
    gram = Gram(*(row_dot(a, b) for a, b in ((h, h), (t, t), (r, r), (h, t), (h, r), (t, r))))
    alpha, beta, gamma = (x[:, None] for x in coefficients_of(gram))
    return alpha * h + beta * t + gamma * r


def weighted_mean(coefficients: Coefficients, entity: jax.Array, relation: jax.Array, graph: Edges) -> jax.Array:
    """The mean of alpha h + beta t + gamma r over the edges of each head.

    Args:
        coefficients: arrays [edges].
        entity: [entities, d].
        relation: [relations, d].
        graph: the triples.

    Returns:
        [entities, d], 0 for an entity that heads no edge.
    """
    return _mean(*_sum_by_numbers(coefficients, entity, relation, graph))


def _mean(total: jax.Array, count: jax.Array) -> jax.Array:
    """Of sums [entities, d] of so many messages [entities]."""
    # Constant and kept, or the reverse pass would add up all messages anew.
    count = checkpoint_name(jax.lax.stop_gradient(jnp.maximum(count, 1)), EDGE_SCALARS)
    return total / count[:, None]


def _sum_by_numbers(
    coefficients: Coefficients, entity: jax.Array, relation: jax.Array, graph: Edges
) -> tuple[jax.Array, jax.Array]:
    """The sum of the messages of each head, and their count."""
    chex.assert_equal_shape([*coefficients, graph.rows])
    alpha, beta, gamma = (checkpoint_name(x, EDGE_SCALARS) for x in coefficients)
    n, relation_ids = entity.shape[0] * axis_size(ROWS), jnp.arange(relation.shape[0])
    sums_by_relation = partial(_sums, values=gamma, rows=graph.rows, relation=graph.attr, n_rows=n)
    total = psum_scatter(segment_sum(alpha, graph.rows, n))[:, None] * entity
    total += reduce_columns(sums_by_relation, [], [relation_ids]) @ relation
    total += reduce_columns(lambda entity: local_spmm(beta, entity, graph, n), [entity])
    count = psum_scatter(segment_sum(jnp.ones_like(alpha), graph.rows, n))
    return psum(total, DATA), psum(count, DATA)


def _sum_by_rows(
    coefficients_of: CoefficientsOf, entity: jax.Array, relation: jax.Array, graph: Edges
) -> tuple[jax.Array, jax.Array]:
    """As `_sum_by_numbers`, but by rows, where this device has all of them."""
    number: Any = jax.ShapeDtypeStruct(graph.rows.shape, jnp.result_type(entity, relation))
    closed = jax.make_jaxpr(coefficients_of)(Gram(*[number] * 6))

    # What the function closes over may be traced, and is a constant of the sum like any other.
    def with_consts(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(tables: Any, constants: Any, *cotangent: jax.Array) -> Any:
            graph, consts = constants
            of_gram = jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, consts))
            return function(lambda gram: Coefficients(*of_gram(*gram)), tables, graph, *cotangent)

        return wrapped

    sum_of_rows = with_transpose(with_consts(_sum_of_rows), with_consts(_sum_of_rows_reverse))
    total = psum(sum_of_rows((entity, relation), (graph, closed.consts)), DATA)
    return total[:, :-1], total[:, -1]


def _sum_of_rows(coefficients_of: CoefficientsOf, tables: tuple[jax.Array, jax.Array], graph: Edges) -> jax.Array:
    """The sum of each head's messages and, as the last column, their count: [entities, d + 1]."""
    entity, relation = tables
    h, t, r = _take_heads(entity, graph), take_columns(entity, graph), take_relations(relation, graph.attr)
    messages = row_messages(coefficients_of, h, t, r)
    ones = jnp.ones((messages.shape[0], 1), messages.dtype)
    return segment_sum(jnp.concatenate([messages, ones], axis=1), graph.rows, entity.shape[0])


def _sum_of_rows_reverse(
    coefficients_of: CoefficientsOf, tables: tuple[jax.Array, jax.Array], graph: Edges, cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    entity, relation = tables
    n, d = entity.shape
    # A head's row and its sum's cotangent are gathered as one row, for one index; on a TPU it fills the lanes.
    both = _take_heads(jnp.concatenate([entity, cotangent[:, :d]], axis=1), graph)
    h, t, r = both[:, :d], take_columns(entity, graph), take_relations(relation, graph.attr)
    g = jnp.where((graph.rows < n)[:, None], both[:, d:], 0)
    of_h, of_t, of_r = jax.vjp(partial(row_messages, coefficients_of), h, t, r)[1](g)
    (of_relation,) = jax.vjp(lambda relation: take_relations(relation, graph.attr), relation)[1](of_r)
    return segment_sum(of_h, graph.rows, n) + add_columns(of_t, graph, n), of_relation


def _take_heads(table: jax.Array, graph: Edges) -> jax.Array:
    return table.at[graph.rows].get(mode="clip", indices_are_sorted=True)


def take_relations(relation: jax.Array, ids: jax.Array) -> jax.Array:
    """The rows of a table [relations, d] by ids [edges]: [edges, d]; on TPUs a product with one-hot rows."""

    def by_one_hot(relation: jax.Array, ids: jax.Array) -> jax.Array:
        one_hot = jax.nn.one_hot(ids, relation.shape[0], dtype=relation.dtype)
        # The reverse pass is traced where no context sets the precision.
        return jnp.matmul(one_hot, relation, precision="highest")

    # The compiler may hold the one-hot rows, which must not be far larger than those of the relations.
    if relation.shape[0] > 8 * relation.shape[1]:
        return take_whole(relation, ids)
    return jax.lax.platform_dependent(relation, ids, tpu=by_one_hot, default=take_whole)


def _entries(matrix: jax.Array, numbers: jax.Array, nodes: jax.Array, relation: jax.Array) -> jax.Array:
    """The entries of a matrix [nodes, relations] at edges, from some consecutive columns of it.

    Args:
        matrix: its columns numbers[0], numbers[0] + 1, ...; columns past the last relation are padding.
        numbers: int [columns].
        nodes: int [..., edges].
        relation: int [edges].

    Returns:
        [..., edges], 0 where an edge's relation is not among the columns.
    """
    column, here = _column(relation, numbers)
    return jnp.where(here, matrix.at[nodes, column].get(mode="clip"), 0)


def _sums(numbers: jax.Array, values: jax.Array, rows: jax.Array, relation: jax.Array, n_rows: int) -> jax.Array:
    """Sums values [edges] by row and relation: [n_rows, columns], `numbers` as of `_entries`; padding adds nothing."""
    column, here = _column(relation, numbers)
    return jnp.zeros((n_rows, numbers.size), values.dtype).at[rows, column].add(jnp.where(here, values, 0))


def _column(relation: jax.Array, numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
    column = relation - numbers[0]
    return column, (column >= 0) & (column < numbers.size)
