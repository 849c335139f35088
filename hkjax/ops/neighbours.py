"""Neighbours drawn at random: a step that walks a few of them costs the same in a graph of any size."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.collectives import device_key
from hkjax.ops.lowerings.threefry import random_bits
from hkjax.ops.sampling import multiply_high
from hkjax.ops.segment import Ragged, offsets
from hkjax.ops.sparse import Edges
from hkjax.shapes import check_integers, check_rank


class Draw(NamedTuple):
    """Drawn neighbours of some nodes.

    Attributes:
        ids: int32 [nodes, k]; arbitrary where none was drawn.
        attr: attributes of the edges to them, int32 [nodes, k], or None.
        present: bool [nodes, k]; true where one was drawn.
        expected: [nodes, 1], the expected number of drawn ones.
    """

    ids: jax.Array
    attr: Any
    present: jax.Array
    expected: jax.Array

    def mean(self, values: jax.Array) -> jax.Array:
        """Computes the mean over drawn neighbours of values [nodes * k, d]: [nodes, d], 0 where none was drawn."""
        return self._sum(values) / jnp.maximum(self.present.sum(axis=1, keepdims=True), 1)

    def unbiased_mean(self, values: jax.Array) -> jax.Array:
        """Estimates the mean over all neighbours from values [nodes * k, d]: [nodes, d], 0 without neighbours."""
        return self._sum(values) / jnp.where(self.expected > 0, self.expected, 1).astype(values.dtype)

    def _sum(self, values: jax.Array) -> jax.Array:
        return jnp.where(self.present[:, :, None], values.reshape(*self.ids.shape, -1), 0).sum(axis=1)


def make_neighbours(edges: Edges, n_rows: int) -> Ragged:
    """Lists the columns that each of n_rows rows has an edge to; the edges share the array."""
    attr = None if edges.attr is None else _narrow(np.asarray(edges.attr))
    return Ragged(*_offsets_on_device(np.asarray(edges.rows), n_rows), edges.columns, attr)


def make_neighbours_transposed(edges: Edges, n_columns: int) -> Ragged:
    """Lists the rows that have an edge to each of n_columns columns."""
    attr = None if edges.attr is None else _narrow(np.asarray(edges.attr)[np.asarray(edges.csc_order)])
    return Ragged(*_offsets_on_device(np.asarray(edges.columns), n_columns), edges.csc_rows, attr)


def draw_neighbours(key: jax.Array, neighbours: Ragged, nodes: jax.Array, k: int, keep: float = 1.0) -> Draw:
    """Draws at most k of a node's m neighbours, each with probability min(keep, k / m).

    A node's list is cut into k equal parts or into parts of length 1 / keep, and one neighbour of each part is drawn
    (stratified sampling). Probabilities are exact up to m / 2^32.

    Args:
        key: PRNG key; each device draws its own.
        neighbours: lists of all nodes.
        nodes: int [n].
        k: at least 1.
        keep: in (0, 1]; if it is 1, all of k or fewer neighbours are drawn.
    """
    check_rank("draw_neighbours", 1, nodes=nodes)
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
    """Tests whether ids [n, k] are neighbours of their nodes [n]: bool [n, k].

    Uses bisection: every node's neighbours must ascend.
    """
    check_rank("is_neighbour", 1, nodes=nodes)
    check_rank("is_neighbour", 2, ids=ids)
    low = jnp.broadcast_to(neighbours.start[nodes][:, None], ids.shape)
    end = low + neighbours.length[nodes][:, None]

    def halve(bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = low + (high - low) // 2
        passed = (low < high) & (neighbours.values.at[middle].get(mode="clip") < ids)
        return jnp.where(passed, middle + 1, low), jnp.where(passed, high, middle)

    # The longest list of these nodes sets the number of rounds.
    found, _ = jax.lax.while_loop(lambda bounds: jnp.any(bounds[0] < bounds[1]), halve, (low, end))
    return (found < end) & (neighbours.values.at[found].get(mode="clip") == ids)


def _narrow(attr: np.ndarray) -> jax.Array:
    """Converts to the smallest integer type: every device holds the attributes of all edges."""
    check_integers("make_neighbours", attr=attr)
    assert attr.min(initial=0) >= 0, f"make_neighbours: attributes of edges must be at least 0, found {attr.min()}"
    return jax.device_put(attr.astype(np.min_scalar_type(attr.max(initial=0))))


def _offsets_on_device(nodes: np.ndarray, n_nodes: int) -> tuple[jax.Array, jax.Array]:
    start, length = offsets(nodes, n_nodes)
    return jax.device_put(start), jax.device_put(length)
