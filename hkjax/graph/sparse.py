"""Products with a sparse matrix whose pattern is fixed and whose weights are computed.

The pattern is an `Adjacency`: segments (rows), each with its members (columns). The three products

    weighted_sum             y_s = sum_i w_si x_i          (matrix times dense)
    weighted_sum_transposed  x_i = sum_s w_si y_s          (its transpose)
    edge_products            w_si = <y_s, x_i>             (dense times dense, at the edges only)

are each other's derivatives, so each has its own reverse rule in terms of the other two, to any
order. No intermediate of the size [edges, d] is built, and no gather's transpose becomes a scatter
without order. Forward-mode derivatives (jax.jvp) are not defined for them.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.graph.segment import WIDTH, Pieces, make_pieces, pad_row, sum_pieces


class Adjacency(NamedTuple):
    """A fixed pattern in both directions. Weights are arrays [pieces, WIDTH] in the order of `forward`.

    Attributes:
        forward: for each segment its members.
        transpose: for each member its segments.
        to_transpose: int32 [transposed pieces, WIDTH], where the flattened forward weights hold the
            weight of each transposed place; one past the end for padding.
    """

    forward: Pieces
    transpose: Pieces
    to_transpose: jax.Array


def make_adjacency(
    members: np.ndarray, segments: np.ndarray, n_members: int, n_segments: int
) -> tuple[Adjacency, np.ndarray]:
    """Builds the pattern of edges (segment, member), given as two int arrays [edges], on the host.

    Returns:
        The adjacency, and the place of each edge in the flattened forward weights, int [edges].
    """
    forward, place = make_pieces(members, segments, n_members, n_segments)
    transpose, back = make_pieces(segments, members, n_segments, n_members)
    to_transpose = np.full(transpose.members.size, forward.members.size, np.int32)
    to_transpose[back] = place
    shaped = jnp.asarray(to_transpose.reshape(-1, WIDTH))
    return Adjacency(forward, transpose, shaped), place


def place_edges(values: np.ndarray, place: np.ndarray, adjacency: Adjacency) -> jax.Array:
    """Puts a value of each edge [edges] into the order of the weights; 0 in the padding."""
    placed = np.zeros(adjacency.forward.members.size, values.dtype)
    placed[place] = values
    return jnp.asarray(placed.reshape(-1, WIDTH))


def is_edge(adjacency: Adjacency, n_members: int) -> jax.Array:
    """Which places hold an edge and which are padding: bool [pieces, WIDTH]."""
    return adjacency.forward.members < n_members


def keep_edges(kept: jax.Array, share: float, n_edges: int) -> jax.Array:
    """The places of the kept edges, ascending, in room for as many as chance may keep.

    Args:
        kept: bool [pieces, WIDTH], each edge being kept with probability `share` on its own.
        share: in (0, 1].
        n_edges: number of edges.

    Returns:
        int32 [room]; what is left of the room points past the end. The room is six standard
        deviations above the mean: once in a billion draws the last few kept edges do not fit.
    """
    room = math.ceil(n_edges * share + 6 * math.sqrt(n_edges * share * (1 - share)))
    return jnp.nonzero(kept.reshape(-1), size=min(room, n_edges), fill_value=kept.size)[0].astype(jnp.int32)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def weighted_sum(weights: jax.Array, x: jax.Array, adjacency: Adjacency, n_segments: int) -> jax.Array:
    """Sums the weighted members of each segment.

    Args:
        weights: [pieces, WIDTH].
        x: [members, d].
        adjacency: the pattern.
        n_segments: number of segments.

    Returns:
        [n_segments, d].
    """
    return sum_pieces(x, adjacency.forward, n_segments, weights)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def weighted_sum_transposed(weights: jax.Array, y: jax.Array, adjacency: Adjacency, n_members: int) -> jax.Array:
    """Sums, for each member, its weighted segments: [n_members, d] from weights [pieces, WIDTH], y [segments, d]."""
    padded = jnp.append(weights.reshape(-1), jnp.zeros(1, weights.dtype))
    return sum_pieces(y, adjacency.transpose, n_members, padded[adjacency.to_transpose])


@jax.custom_vjp
def edge_products(y: jax.Array, x: jax.Array, adjacency: Adjacency) -> jax.Array:
    """Inner products of segment and member at every edge: [pieces, WIDTH] from y [segments, d], x [members, d].

    Padding gets 0.
    """
    pieces, padded = adjacency.forward, pad_row(x)
    owners = y[pieces.owner]
    return jnp.stack([jnp.sum(owners * padded[pieces.members[:, k]], axis=-1) for k in range(WIDTH)], axis=-1)


def _weighted_sum_forward(weights, x, adjacency, n_segments):
    return weighted_sum(weights, x, adjacency, n_segments), (weights, x, adjacency)


def _weighted_sum_backward(n_segments, residuals, cotangent):
    weights, x, adjacency = residuals
    d_weights = edge_products(cotangent, x, adjacency)
    return d_weights, weighted_sum_transposed(weights, cotangent, adjacency, x.shape[0]), None


def _transposed_forward(weights, y, adjacency, n_members):
    return weighted_sum_transposed(weights, y, adjacency, n_members), (weights, y, adjacency)


def _transposed_backward(n_members, residuals, cotangent):
    weights, y, adjacency = residuals
    d_weights = edge_products(y, cotangent, adjacency)
    return d_weights, weighted_sum(weights, cotangent, adjacency, y.shape[0]), None


def _edge_products_forward(y, x, adjacency):
    return edge_products(y, x, adjacency), (y, x, adjacency)


def _edge_products_backward(residuals, cotangent):
    y, x, adjacency = residuals
    d_y = weighted_sum(cotangent, x, adjacency, y.shape[0])
    return d_y, weighted_sum_transposed(cotangent, y, adjacency, x.shape[0]), None


weighted_sum.defvjp(_weighted_sum_forward, _weighted_sum_backward)
weighted_sum_transposed.defvjp(_transposed_forward, _transposed_backward)
edge_products.defvjp(_edge_products_forward, _edge_products_backward)
