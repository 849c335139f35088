"""Searches without the loops or scatters that are slow on a platform."""

from typing import Any

import jax
import jax.numpy as jnp

_WIDTH = 64


def excluded_below(items: jax.Array, start: jax.Array, length: jax.Array, rank: jax.Array, longest: int) -> jax.Array:
    """Counts the items p_0 < p_1 < ... of each user with p_k - k <= rank, by bisection.

    Args:
        items: int32 [interactions], ascending within a user.
        start, length: int32 [B], where each user's items lie.
        rank: int32 [B, n].
        longest: no user has more items.

    Returns:
        int32 [B, n].
    """
    del longest
    return _bisect(items, start, length, rank, 32 - jax.lax.clz(jnp.max(length, initial=0)))


def excluded_below_unrolled(
    items: jax.Array, start: jax.Array, length: jax.Array, rank: jax.Array, longest: int
) -> jax.Array:
    """Equals `excluded_below`, without a loop: in one kernel, while a GPU's host would start each round of a loop."""
    return _bisect(items, start, length, rank, longest.bit_length(), unroll=True)


def excluded_below_by_comparison(
    items: jax.Array, start: jax.Array, length: jax.Array, rank: jax.Array, longest: int
) -> jax.Array:
    """Equals `excluded_below`: compares each rank with all of the user's items, 128 at a time.

    Bisection looks at few items, one after another; a machine with wide vectors is faster at comparing many at once.
    """
    del longest
    width = 128
    padded = jnp.pad(items, (0, width))

    def count(block: jax.Array, found: jax.Array) -> jax.Array:
        place = block * width + jnp.arange(width)
        first = jnp.minimum(start + block * width, items.shape[0])
        rows = jax.vmap(lambda at: jax.lax.dynamic_slice(padded, (at,), (width,)))(first)
        bound = jnp.where(place < length[:, None], rows - place, jnp.iinfo(jnp.int32).max)
        return found + jnp.sum(bound[:, None, :] <= rank[:, :, None], axis=-1, dtype=jnp.int32)

    n_blocks = -(-jnp.max(length, initial=0) // width)
    return jax.lax.fori_loop(0, n_blocks, count, jnp.zeros_like(rank))


def bound_by_order(words: jax.Array, size: int) -> jax.Array:
    """Finds the largest bound with at most `size` words below it, from the sorted words.

    A GPU sorts them faster than its host starts the kernels of 32 rounds of bisection.
    """
    return jnp.sort(words)[size] if size < words.size else jnp.uint32(0xFFFFFFFF)


def compact_by_shifts(arrays: Any, kept: jax.Array, size: int) -> Any:
    """Returns the first `size` kept entries of arrays [n], without an index.

    Kept entries move down by powers of two, the lowest first, so that no two of them meet.
    """
    n, distance = kept.size, jnp.where(kept, jnp.cumsum(~kept, dtype=jnp.int32), 0)

    def move(i: int, moving: Any) -> Any:
        step = 1 << i

        def shifted(x: jax.Array) -> jax.Array:
            return jax.lax.dynamic_slice_in_dim(jnp.pad(x, (0, n)), step, n)

        distance, arrays = moving
        after = shifted(distance)
        comes, goes = after & step != 0, distance & step != 0
        arrays = jax.tree.map(lambda x: jnp.where(comes, shifted(x), x), arrays)
        return jnp.where(comes, after, jnp.where(goes, 0, distance)), arrays

    moved = jax.lax.fori_loop(0, (n - size).bit_length(), move, (distance, arrays))[1]
    return jax.tree.map(lambda x: x[:size], moved)


def top_by_groups(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """Finds the k largest scores of each row [rows, n] and their places, in the k groups with the largest maxima.

    Each of these groups has a score that precedes all scores of any other group. n is at least 64 k.
    """
    rows, n = scores.shape
    padded = jnp.pad(scores, ((0, 0), (0, -n % _WIDTH)), constant_values=-jnp.inf)
    groups = padded.reshape(rows, -1, _WIDTH)
    _, best = jax.lax.top_k(jnp.max(groups, axis=2), k)
    best = jnp.sort(best, axis=1)  # Sorted groups make ties resolve to the lowest index.
    values, at = jax.lax.top_k(jnp.take_along_axis(groups, best[:, :, None], axis=1).reshape(rows, -1), k)
    return values, jnp.take_along_axis(best, at // _WIDTH, axis=1) * _WIDTH + at % _WIDTH


def worth_grouping(n: int, k: int) -> bool:
    """Tests whether n scores fill more groups than the k that `top_by_groups` reads."""
    return n > k * _WIDTH


def _bisect(
    items: jax.Array,
    start: jax.Array,
    length: jax.Array,
    rank: jax.Array,
    n_halvings: int | jax.Array,
    unroll: bool | None = None,
) -> jax.Array:
    start, length = start[:, None], length[:, None]

    def halve(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = (low + high) // 2
        passed = (low < high) & (items[start + jnp.minimum(middle, length - 1)] - middle <= rank)
        return jnp.where(passed, middle + 1, low), jnp.where(passed, high, middle)

    bounds = jnp.zeros_like(rank), jnp.broadcast_to(length, rank.shape)
    return jax.lax.fori_loop(0, n_halvings, halve, bounds, unroll=unroll)[0]
