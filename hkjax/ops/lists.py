"""Sparse rows as lists, and their products with a sparse square matrix: what linear item models score by.

A row is a list of members, each with a weight. A matrix keeps k entries of each column, and so its size is that of k
rows. Its product with a row is a sum over the row's members of their entries in the matrix.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.lowerings.list_sums import CHUNK, sums_by_members
from hkjax.ops.lowerings.table import by_platform
from hkjax.ops.segment import make_ragged
from hkjax.shapes import check_rank, check_same_shape


class Lists(NamedTuple):
    """Lists of weighted members, one after another.

    Attributes:
        start, length: int32 [lists], where each list lies.
        values: int32 [members], ids below the count of columns.
        weights: [members].
        slots: int32 [longest], 0, 1, 2, ...: its size is the room that the longest list needs.
    """

    start: jax.Array
    length: jax.Array
    values: jax.Array
    weights: jax.Array
    slots: jax.Array


class Neighbours(NamedTuple):
    """A square matrix with k entries in each column: for each target, its sources and their weights.

    Attributes:
        sources: int32 [n, k]; n for an entry that is none.
        weights: [n, k]; 0 for an entry that is none.
    """

    sources: jax.Array
    weights: jax.Array


def make_lists(owners: np.ndarray, values: np.ndarray, weights: np.ndarray, n: int) -> Lists:
    """Groups weighted members by their owners on the host, each list in the order of its values.

    Args:
        owners: int [members], below n.
        values: int [members].
        weights: [members].
        n: count of lists.
    """
    order = np.lexsort((values, owners))
    ragged = make_ragged(owners[order], values[order], n, weights[order])
    longest = max(1, int(ragged.length.max(initial=0)))
    # An empty array can't be read, not even where no list asks for it.
    room = ((0, max(0, 1 - len(values))),)
    on_device = (np.pad(x, room) for x in (ragged.values.astype(np.int32), ragged.attr.astype(np.float32)))
    return Lists(*map(jnp.asarray, (ragged.start, ragged.length, *on_device, np.arange(longest))))


def padded_lists(values: jax.Array, weights: jax.Array) -> Lists:
    """Returns the rows of values and weights [B, m] as B lists; a member of weight 0 counts nowhere."""
    check_same_shape("padded_lists", values=values, weights=weights)
    size, room = values.shape
    length = jnp.full(size, room, jnp.int32)
    start = jnp.arange(size, dtype=jnp.int32) * room
    return Lists(start, length, values.reshape(-1), weights.reshape(-1), jnp.arange(room))


def dense_rows(lists: Lists, rows: jax.Array, n: int) -> jax.Array:
    """Returns the given lists [B] as rows [B, n]: entry v is the sum of the weights of the members v."""
    check_rank("dense_rows", 1, rows=rows)
    places = lists.start[rows][:, None] + lists.slots
    inside = lists.slots < lists.length[rows][:, None]
    places = jnp.minimum(places, lists.values.size - 1)
    ids = jnp.where(inside, lists.values[places], n)
    weights = jnp.where(inside, lists.weights[places], 0)
    rows = jnp.arange(rows.size, dtype=jnp.int32)[:, None]
    return jnp.zeros((rows.size, n), weights.dtype).at[rows, ids].add(weights, mode="drop")


def vector_sums(lists: Lists, rows: jax.Array, table: jax.Array) -> jax.Array:
    """Sums the vectors of lists' members by their weights: [B, d] from the lists rows [B] and a table [n, d]."""
    check_rank("vector_sums", 1, rows=rows)
    check_rank("vector_sums", 2, table=table)
    start, length = lists.start[rows], lists.length[rows]

    def add(slot: jax.Array, total: jax.Array) -> jax.Array:
        place = jnp.minimum(start + slot, lists.values.size - 1)
        weights = jnp.where(slot < length, lists.weights[place], 0)
        return total + weights[:, None] * table[lists.values[place]]

    zeros = jnp.zeros((rows.size, table.shape[1]), jnp.result_type(table, lists.weights))
    return jax.lax.fori_loop(0, lists.slots.size, add, zeros)


def targets_of_sources(neighbours: Neighbours) -> Lists:
    """Returns the matrix by rows: for each source its targets, ascending, and weights.

    `slots` is empty: the longest list is unknown to the shape.
    """
    n, k = neighbours.sources.shape
    length = jnp.zeros(n + 1, jnp.int32).at[neighbours.sources.reshape(-1)].add(1)
    start = jnp.cumsum(length) - length
    # A chunk may be read past the end of the last list.
    empty = jnp.zeros(n * k + CHUNK, jnp.int32), jnp.zeros(n * k + CHUNK, neighbours.weights.dtype)

    def place(target: jax.Array, state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
        # Sorting all entries would take ten times as long.
        values, weights, free = state
        sources = neighbours.sources[target]
        places = free[sources]
        values = values.at[places].set(target)
        return values, weights.at[places].set(neighbours.weights[target]), free.at[sources].add(1)

    values, weights, _ = jax.lax.fori_loop(0, n, place, (*empty, start))
    return Lists(start[:n], length[:n], values, weights, jnp.zeros(0, jnp.int32))


def neighbour_sums(neighbours: Neighbours, by_source: Lists, lists: Lists, rows: jax.Array) -> jax.Array:
    """Multiplies lists with a matrix: y_bj = sum over the members i of list b of w_bi W_ij.

    Args:
        neighbours: the matrix W [n, n].
        by_source: the same, from `targets_of_sources`.
        lists: rows of ids below n.
        rows: int32 [B], which of the lists to multiply.

    Returns:
        [B, n].
    """
    check_rank("neighbour_sums", 1, rows=rows)
    ways = {"by targets": _sums_by_targets, "by members": sums_by_members}
    return by_platform("neighbour_sums", ways, neighbours, by_source, lists, rows)


def _sums_by_targets(neighbours: Neighbours, by_source: Lists, lists: Lists, rows: jax.Array) -> jax.Array:
    """Reads, for every target, the row's entries at its sources."""
    del by_source
    n, k = neighbours.sources.shape
    x = dense_rows(lists, rows, n)

    def add(slot: jax.Array, total: jax.Array) -> jax.Array:
        sources, weights = (jax.lax.dynamic_index_in_dim(a, slot, 1, keepdims=False) for a in neighbours)
        return total + jnp.where(sources < n, x[:, jnp.minimum(sources, n - 1)] * weights, 0)

    return jax.lax.fori_loop(0, k, add, jnp.zeros(x.shape, jnp.result_type(x, neighbours.weights)))


def neighbour_scores(neighbours: Neighbours, x: jax.Array, targets: jax.Array) -> jax.Array:
    """Computes sum over i of x_bi W_ij for the target j of each row: [B] from rows x [B, n] and targets [B]."""
    check_rank("neighbour_scores", 2, x=x)
    n = x.shape[1]
    sources, weights = neighbours.sources[targets], neighbours.weights[targets]
    entries = jnp.take_along_axis(x, jnp.minimum(sources, n - 1), axis=1)
    return jnp.sum(jnp.where(sources < n, entries * weights, 0), axis=1)
