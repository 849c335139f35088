"""Neighbours drawn at random: a step that walks a few of them costs the same in a graph of any size."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.collectives import device_key
from hkjax.ops.lowerings.threefry import random_bits
from hkjax.ops.sampling import multiply_high
from hkjax.ops.segment import Ragged, offsets
from hkjax.ops.sparse import Edges


class Draw(NamedTuple):
    """Neighbours of some nodes.

    Attributes:
        ids: int32 [nodes, k]; any ids where none was drawn.
        attr: what the edges to them carry, int32 [nodes, k], or None.
        present: bool [nodes, k], where one was drawn.
        expected: [nodes, 1], how many are drawn on average.
    """

    ids: jax.Array
    attr: Any
    present: jax.Array
    expected: jax.Array

    def mean(self, values: jax.Array) -> jax.Array:
        """The mean over what was drawn of values [nodes * k, d]: [nodes, d], 0 where nothing was."""
        return self._sum(values) / jnp.maximum(self.present.sum(axis=1, keepdims=True), 1)

    def unbiased_mean(self, values: jax.Array) -> jax.Array:
        """An estimate of the mean over all neighbours from values [nodes * k, d]: [nodes, d], 0 without neighbours."""
        return self._sum(values) / jnp.where(self.expected > 0, self.expected, 1).astype(values.dtype)

    def _sum(self, values: jax.Array) -> jax.Array:
        return jnp.where(self.present[:, :, None], values.reshape(*self.ids.shape, -1), 0).sum(axis=1)


def make_neighbours(edges: Edges, n_rows: int) -> Ragged:
    """The columns that each of n_rows rows has an edge to; shares their array with the edges."""
    attr = None if edges.attr is None else _narrow(np.asarray(edges.attr))
    return Ragged(*_offsets_on_device(np.asarray(edges.rows), n_rows), edges.columns, attr)


def make_neighbours_transposed(edges: Edges, n_columns: int) -> Ragged:
    """The rows that have an edge to each of n_columns columns."""
    attr = None if edges.attr is None else _narrow(np.asarray(edges.attr)[np.asarray(edges.csc_order)])
    return Ragged(*_offsets_on_device(np.asarray(edges.columns), n_columns), edges.csc_rows, attr)


def draw_neighbours(key: jax.Array, neighbours: Ragged, nodes: jax.Array, k: int, keep: float = 1.0) -> Draw:
    """Draws at most k neighbours of each node, each with the probability min(keep, k / how many there are).

    A node's list is cut into parts of one length, k parts or as many as are 1 / keep long, and one neighbour of each
    is drawn (stratified sampling). Probabilities are exact up to the number of neighbours / 2^32.

    Args:
        key: PRNG key. Devices draw their own.
        neighbours: of all nodes.
        nodes: ids, int [n].
        k: at least 1.
        keep: in (0, 1]; where it is 1 and there are k neighbours or fewer, all are drawn.
    """
    chex.assert_rank(nodes, 1)
    length, i = neighbours.length[nodes][:, None], jnp.arange(k, dtype=jnp.int32)
    words = random_bits(device_key(key), (nodes.size, k))
    within = multiply_high(words, length.astype(jnp.uint32)).astype(jnp.int32)
    # (i * length + within) // k, without the product.
    of_many = i * (length // k) + (i * (length % k) + within) // k
    of_few = i if keep == 1 else ((i + (words >> 8) / 2**24) / keep).astype(jnp.int32)
    place = jnp.where(length * keep > k, of_many, of_few)
    if not neighbours.values.size:
        nothing = jnp.zeros_like(place)
        attr = None if neighbours.attr is None else nothing
        return Draw(nothing, attr, nothing > 0, jnp.zeros_like(length))
    at = neighbours.start[nodes][:, None] + place
    attr = None if neighbours.attr is None else neighbours.attr.at[at].get(mode="clip").astype(jnp.int32)
    return Draw(neighbours.values.at[at].get(mode="clip"), attr, place < length, jnp.minimum(length * keep, k))


def is_neighbour(neighbours: Ragged, nodes: jax.Array, ids: jax.Array) -> jax.Array:
    """Whether each node has its ids as neighbours: bool [n, k] of nodes [n] and ids [n, k].

    By bisection; every node's neighbours must ascend.
    """
    chex.assert_rank([nodes, ids], [1, 2])
    low = jnp.broadcast_to(neighbours.start[nodes][:, None], ids.shape)
    end = low + neighbours.length[nodes][:, None]

    def halve(bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = low + (high - low) // 2
        passed = (low < high) & (neighbours.values.at[middle].get(mode="clip") < ids)
        return jnp.where(passed, middle + 1, low), jnp.where(passed, high, middle)

    # As often as the longest list of these nodes asks for.
    found, _ = jax.lax.while_loop(lambda bounds: jnp.any(bounds[0] < bounds[1]), halve, (low, end))
    return (found < end) & (neighbours.values.at[found].get(mode="clip") == ids)


def _narrow(attr: np.ndarray) -> jax.Array:
    """In as few bytes as its numbers need: every device holds them for all edges."""
    chex.assert_type(attr, int)
    assert attr.min(initial=0) >= 0, f"edges carry numbers from 0 on, found {attr.min()}"
    return jax.device_put(attr.astype(np.min_scalar_type(attr.max(initial=0))))


def _offsets_on_device(nodes: np.ndarray, n_nodes: int) -> tuple[jax.Array, jax.Array]:
    start, length = offsets(nodes, n_nodes)
    return jax.device_put(start), jax.device_put(length)
