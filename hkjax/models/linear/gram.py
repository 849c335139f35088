"""The Gram matrix of the items: how often two have common users, as sparse rows."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from hkjax.data.dataset import Dataset
from hkjax.models.linear.memory import Remember
from hkjax.ops.lists import Lists, Neighbours, make_lists
from hkjax.ops.top_k import top_k

# Entries of the Gram matrix that are read at a time.
_ENTRIES_PER_BLOCK = 1 << 21

Weigh = Callable[..., jax.Array]


class Gram(NamedTuple):
    """The Gram matrix G = X^T D X of the items, with users weighed by D.

    Attributes:
        entries: its rows, ascending; the diagonal is among them.
        degree: users of each item, [items].
        diagonal: G_ii, [items].
        blocks: the items by the length of their rows: for each power of 2 its blocks of items, int32 [blocks, B],
            padded with the count of items.
        widths: for each power of 2 that many slots, 0, 1, 2, ...
    """

    entries: Lists
    degree: jax.Array
    diagonal: jax.Array
    blocks: tuple[jax.Array, ...]
    widths: tuple[jax.Array, ...]


def histories(data: Dataset) -> Lists:
    """Returns the positive train items of every user, each with weight 1."""
    positives = data.train.positives()
    return make_lists(positives.users, positives.items, np.ones(len(positives.users)), data.n_users)


def make_gram(data: Dataset, power: float) -> Gram:
    """Counts common users on the host: a product of sparse matrices.

    Args:
        data: its positive train rows count.
        power: a user counts by 1 / d_u^power.
    """
    positives = data.train.positives()
    ones = np.ones(len(positives.users), np.float32)
    x = sparse.csr_array((ones, (positives.users, positives.items)), (data.n_users, data.n_items))
    weights = np.maximum(x.sum(1), 1).astype(np.float32) ** np.float32(-power)
    product = (x.T @ (sparse.diags_array(weights) @ x)).tocsr()
    product.sort_indices()
    length = np.diff(product.indptr).astype(np.int32)
    # An empty array can't be read, not even where no row asks for it.
    room = (0, max(0, 1 - product.nnz))
    arrays = product.indptr[:-1].astype(np.int32), length, product.indices.astype(np.int32, copy=False), product.data
    stored = [np.pad(x, room) if room[1] else x for x in arrays[2:]]
    entries = Lists(*map(jnp.asarray, (*arrays[:2], *stored, np.arange(max(1, int(length.max(initial=0)))))))
    width = 1 << np.ceil(np.log2(np.maximum(length, 1))).astype(int)
    blocks, widths = [], []
    for size in np.unique(width):
        items = np.flatnonzero(width == size).astype(np.int32)
        count = int(min(len(items), max(1, _ENTRIES_PER_BLOCK // size)))
        padded = np.pad(items, (0, -len(items) % count), constant_values=data.n_items)
        blocks.append(jnp.asarray(padded.reshape(-1, count)))
        widths.append(jnp.arange(size, dtype=jnp.int32))
    degree, diagonal = x.sum(0), product.diagonal()
    return Gram(entries, jnp.asarray(degree), jnp.asarray(diagonal), tuple(blocks), tuple(widths))


def remembered_gram(remember: Remember, data: Dataset, power: float) -> Gram:
    """Returns `make_gram`, or what is remembered of it."""
    return remember(("gram", power), lambda: make_gram(data, power))  # type: ignore[no-any-return]


def gram_and_numbers(remember: Remember, data: Dataset, power: float, numbers: jax.Array) -> dict[str, Any]:
    """Returns the arguments of a closed form: the Gram matrix and the model's settings."""
    return {"gram": remembered_gram(remember, data, power), "numbers": numbers}


def mean_diagonal(diagonal: jax.Array) -> jax.Array:
    """Computes the mean of a Gram matrix's positive diagonal entries, the unit of penalties; 1 where there is none."""
    count = (diagonal > 0).sum()
    return jnp.where(count > 0, diagonal.sum() / jnp.maximum(count, 1), 1)


def top_neighbours(gram: Gram, k: int, weigh: Weigh, *args: jax.Array) -> Neighbours:
    """Finds the k sources of largest weight of every target, among the items with a common user.

    Args:
        gram: the Gram matrix.
        k: sources to keep.
        weigh: (G_ij, source i, target j, *args) -> the weight, positive.
        *args: further arrays for it.
    """
    n = gram.degree.size
    k = min(k, n)
    sources, weights = jnp.full((n, k), n, jnp.int32), jnp.zeros((n, k), gram.diagonal.dtype)
    for blocks, slots in zip(gram.blocks, gram.widths, strict=True):
        of_block = partial(_top_of_rows, gram, min(k, slots.size), weigh, args, slots)
        found, best = (x.reshape(-1, x.shape[-1]) for x in jax.lax.map(of_block, blocks))
        rows = blocks.reshape(-1)
        sources = sources.at[rows, : found.shape[1]].set(found, mode="drop")
        weights = weights.at[rows, : found.shape[1]].set(best.astype(weights.dtype), mode="drop")
    return Neighbours(sources, weights)


def _top_of_rows(
    gram: Gram, k: int, weigh: Weigh, args: tuple[jax.Array, ...], slots: jax.Array, targets: jax.Array
) -> tuple[jax.Array, jax.Array]:
    n = gram.degree.size
    rows = jnp.minimum(targets, n - 1)
    places = jnp.minimum(gram.entries.start[rows][:, None] + slots, gram.entries.values.size - 1)
    sources, g = gram.entries.values[places], gram.entries.weights[places]
    counts = (slots < gram.entries.length[rows][:, None]) & (sources != rows[:, None])
    values = jnp.where(counts, weigh(g, sources, rows[:, None], *args), -jnp.inf)
    best, chosen = top_k(values, k)
    there = best > -jnp.inf
    return jnp.where(there, jnp.take_along_axis(sources, chosen, axis=1), n), jnp.where(there, best, 0)


def sub_gram(gram: Gram, candidates: jax.Array) -> jax.Array:
    """Reads G_SS for a list of candidates S [k]: [k, k]; 0 for a candidate that is none.

    The matrix is symmetric: each pair is searched for once, by bisection of the shorter row.
    """
    n, k, entries = gram.degree.size, candidates.size, gram.entries
    first, second = np.tril_indices(k)
    place_of_pair = np.zeros((k, k), np.int32)
    place_of_pair[first, second] = place_of_pair[second, first] = np.arange(len(first))
    rows = jnp.minimum(candidates, n - 1)
    start, length = entries.start[rows], entries.length[rows]
    shorter = length[first] < length[second]
    wanted = jnp.where(shorter, candidates[second], candidates[first])
    low = jnp.where(shorter, start[first], start[second])
    end = low + jnp.minimum(length[first], length[second])

    rounds = 32 - jax.lax.clz(jnp.max(end - low))

    def step(k: jax.Array, place: jax.Array) -> jax.Array:
        """Steps over half as many entries as before, if all of them are below what is wanted."""
        after = place + (1 << (rounds - 1 - k))
        below = entries.values[jnp.minimum(after, end) - 1] < wanted
        return jnp.where((after <= end) & below, after, place)

    place = jax.lax.fori_loop(0, rounds, step, low)
    place = jnp.minimum(place, entries.values.size - 1)
    there = (candidates < n)[first] & (candidates < n)[second]
    found = (entries.values[place] == wanted) & (place < end) & there
    return jnp.where(found, entries.weights[place], 0)[place_of_pair]
