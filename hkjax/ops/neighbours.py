"""Neighbours drawn at random: a step that walks a few of them costs the same in a graph of any size."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.collectives import device_key
from hkjax.ops.sampling import multiply_high
from hkjax.ops.sparse import Edges


class Neighbours(NamedTuple):
    """The neighbours of every node, one node's after another's.

    Attributes:
        start, length: int32 [nodes], where a node's neighbours lie.
        ids: int32 [edges], the neighbours.
        attr: what the edges to them carry, [edges], or None.
    """

    start: jax.Array
    length: jax.Array
    ids: jax.Array
    attr: Any = None


class Draw(NamedTuple):
    """Neighbours of some nodes.

    Attributes:
        ids: int32 [nodes, k]; any ids where a node has fewer than k.
        attr: what the edges to them carry, [nodes, k], or None.
        present: bool [nodes, k], where there is a neighbour.
    """

    ids: jax.Array
    attr: Any
    present: jax.Array

    def mean(self, values: jax.Array) -> jax.Array:
        """The mean over each node's neighbours of values [nodes * k, d]: [nodes, d], 0 where there are none."""
        values = jnp.where(self.present[:, :, None], values.reshape(*self.ids.shape, -1), 0)
        return values.sum(axis=1) / jnp.maximum(self.present.sum(axis=1, keepdims=True), 1)


def make_neighbours(edges: Edges, n_rows: int) -> Neighbours:
    """The columns that each of n_rows rows has an edge to; shares the arrays of the edges."""
    return Neighbours(*_offsets(np.asarray(edges.rows), n_rows), edges.columns, edges.attr)


def make_neighbours_transposed(edges: Edges, n_columns: int) -> Neighbours:
    """The rows that have an edge to each of n_columns columns."""
    attr = None if edges.attr is None else edges.attr[edges.csc_order]
    return Neighbours(*_offsets(np.asarray(edges.columns), n_columns), edges.rows[edges.csc_order], attr)


def draw_neighbours(key: jax.Array, neighbours: Neighbours, nodes: jax.Array, k: int) -> Draw:
    """Draws k neighbours of each node [n], all different and evenly spread over its list, or all that it has.

    The list is cut where a random start says into k parts of one length, and the neighbour at each cut is taken
    (systematic sampling). Each of them is drawn equally often, up to length / 2^32, so that the mean over a draw is an
    unbiased estimate of the mean over all. Devices draw their own.
    """
    chex.assert_rank(nodes, 1)
    length, i = neighbours.length[nodes][:, None], jnp.arange(k, dtype=jnp.int32)
    words = jax.random.bits(device_key(key), (nodes.size, 1), jnp.uint32)
    start = multiply_high(words, length.astype(jnp.uint32)).astype(jnp.int32)
    # (i * length + start) // k, without the product.
    spread = i * (length // k) + (i * (length % k) + start) // k
    places = neighbours.start[nodes][:, None] + jnp.where(length > k, spread, i)
    attr = None if neighbours.attr is None else neighbours.attr.at[places].get(mode="clip")
    return Draw(neighbours.ids.at[places].get(mode="clip"), attr, i < length)


def is_neighbour(neighbours: Neighbours, nodes: jax.Array, ids: jax.Array) -> jax.Array:
    """Whether each node has its ids as neighbours: bool [n, k] of nodes [n] and ids [n, k].

    By bisection; every node's neighbours must ascend.
    """
    chex.assert_rank([nodes, ids], [1, 2])
    low = jnp.broadcast_to(neighbours.start[nodes][:, None], ids.shape)
    end = low + neighbours.length[nodes][:, None]

    def halve(bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = low + (high - low) // 2
        passed = (low < high) & (neighbours.ids.at[middle].get(mode="clip") < ids)
        return jnp.where(passed, middle + 1, low), jnp.where(passed, high, middle)

    # As often as the longest list of these nodes asks for.
    found, _ = jax.lax.while_loop(lambda bounds: jnp.any(bounds[0] < bounds[1]), halve, (low, end))
    return (found < end) & (neighbours.ids.at[found].get(mode="clip") == ids)


def _offsets(nodes: np.ndarray, n_nodes: int) -> tuple[jax.Array, jax.Array]:
    length = np.bincount(nodes, minlength=n_nodes)
    return jnp.asarray(np.cumsum(length) - length, jnp.int32), jnp.asarray(length, jnp.int32)
