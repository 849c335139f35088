"""Sums of messages by rows of edges, for machines that gather a row as fast as a scalar."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from hkjax.ops.autodiff.transpose import with_transpose
from hkjax.ops.collectives import DATA, psum
from hkjax.ops.lookup import take_relations
from hkjax.ops.messages import Coefficients, CoefficientsOf, Gram, combine_rows, edge_coefficients, row_gram
from hkjax.ops.segment import segment_sum
from hkjax.ops.sparse import Edges, add_columns, take_columns


def sum_messages(
    coefficients_of: CoefficientsOf, entity: jax.Array, relation: jax.Array, graph: Edges
) -> tuple[jax.Array, jax.Array]:
    """Sums the messages of each head, [entities, d], and counts them, [entities].

    Arguments as in `hkjax.ops.triples.mean_message`; the tables have all their rows on this device.
    """
    scalar: Any = jax.ShapeDtypeStruct(graph.rows.shape, jnp.result_type(entity, relation))
    closed = jax.make_jaxpr(partial(edge_coefficients, coefficients_of))(Gram(*[scalar] * 6))

    # Values that the function closes over may be traced: they are constants of the sum like any others.
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
    """Sums each head's messages and, as the last column, counts them: [entities, d + 1]."""
    entity, relation = tables
    h, t, r = _take_heads(entity, graph), take_columns(entity, graph), take_relations(relation, graph.attr)
    messages = _messages(coefficients_of, h, t, r)
    ones = jnp.ones((messages.shape[0], 1), messages.dtype)
    return segment_sum(jnp.concatenate([messages, ones], axis=1), graph.rows, entity.shape[0])


def _sum_of_rows_reverse(
    coefficients_of: CoefficientsOf, tables: tuple[jax.Array, jax.Array], graph: Edges, cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    entity, relation = tables
    n, d = entity.shape
    # A head's row and its sum's cotangent are gathered as one row, by one index. On a TPU the row fills the lanes.
    both = _take_heads(jnp.concatenate([entity, cotangent[:, :d]], axis=1), graph)
    h, t, r = both[:, :d], take_columns(entity, graph), take_relations(relation, graph.attr)
    g = jnp.where((graph.rows < n)[:, None], both[:, d:], 0)
    of_h, of_t, of_r = jax.vjp(partial(_messages, coefficients_of), h, t, r)[1](g)
    (of_relation,) = jax.vjp(lambda relation: take_relations(relation, graph.attr), relation)[1](of_r)
    return segment_sum(of_h, graph.rows, n) + add_columns(of_t, graph, n), of_relation


def _messages(coefficients_of: CoefficientsOf, h: jax.Array, t: jax.Array, r: jax.Array) -> jax.Array:
    return combine_rows(coefficients_of(row_gram(h, t, r)), h, t, r)


def _take_heads(table: jax.Array, graph: Edges) -> jax.Array:
    return table.at[graph.rows].get(mode="clip", indices_are_sorted=True)
