"""Messages alpha h + beta t + gamma r along edges, with coefficients that follow from inner products."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from hkjax.ops.lowerings.blocks import map_rows
from hkjax.ops.rows import row_dot
from hkjax.shapes import check_same_shape


class Gram(NamedTuple):
    """Inner products of head, tail and relation; arrays of one shape."""

    hh: jax.Array
    tt: jax.Array
    rr: jax.Array
    ht: jax.Array
    hr: jax.Array
    tr: jax.Array


class Coefficients(NamedTuple):
    """Coefficients of vectors alpha h + beta t + gamma r; arrays of one shape."""

    alpha: jax.Array
    beta: jax.Array
    gamma: jax.Array


# Maps each edge by itself, arrays [edges] to arrays [edges].
CoefficientsOf = Callable[[Gram], Coefficients]


def edge_coefficients(coefficients_of: CoefficientsOf, gram: Gram) -> Coefficients:
    """Applies `coefficients_of` to many edges, arrays [edges]; the reverse pass computes the intermediates again.

    Stored, they would take memory, and reading them more time than their arithmetic.
    """
    check_same_shape("edge_coefficients", **gram._asdict())
    return map_rows(jax.checkpoint(coefficients_of), gram)


def row_messages(coefficients_of: CoefficientsOf, h: jax.Array, t: jax.Array, r: jax.Array) -> jax.Array:
    """Computes the messages of edges from the rows of their heads, tails and relations: arrays [edges, d]."""
    return combine_rows(edge_coefficients(coefficients_of, row_gram(h, t, r)), h, t, r)


def row_gram(h: jax.Array, t: jax.Array, r: jax.Array) -> Gram:
    """Computes the Gram matrices [edges] of rows [edges, d]."""
    return Gram(*(row_dot(a, b) for a, b in ((h, h), (t, t), (r, r), (h, t), (h, r), (t, r))))


def combine_rows(coefficients: Coefficients, h: jax.Array, t: jax.Array, r: jax.Array) -> jax.Array:
    """Computes alpha h + beta t + gamma r: [edges, d] from coefficients [edges] and rows [edges, d]."""
    alpha, beta, gamma = (x[:, None] for x in coefficients)
    return alpha * h + beta * t + gamma * r
