"""Random subsets of edges, of an exact size.

Every edge has a random word, and those with the smallest words are kept. As the word follows from the key and the
edge's number alone, an edge is known to be kept wherever it stands, in the order of rows or of columns.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.ops.autodiff.primitive import make_primitive
from hkjax.ops.collectives import device_key
from hkjax.ops.lowerings.threefry import folded_words
from hkjax.ops.sparse import Edges


@jax.named_scope("edge sampling")
def subsample_edges(key: jax.Array, edges: Edges, fraction: float) -> Edges:
    """Keeps a fraction of the edges, in their order.

    Args:
        key: PRNG key.
        edges: the edges.
        fraction: in (0, 1].

    Returns:
        round(fraction * edges) of them, at least one; every such subset is equally likely. On a mesh, so many of
        each device's part.
    """
    n_edges = edges.rows.shape[0]
    size = max(1, round(n_edges * fraction))
    return select_edges(edges, *random_subset(device_key(key), edges.csc_order, size), size)


def select_edges(edges: Edges, kept: jax.Array, csc_kept: jax.Array, size: int) -> Edges:
    """The edges that are kept.

    Args:
        edges: the edges.
        kept: bool [edges].
        csc_kept: the same in the order of columns.
        size: how many are kept.
    """
    rows, columns, attr = compact((edges.rows, edges.columns, edges.attr), kept, size)
    csc_order, csc_rows, csc_columns = compact((edges.csc_order, edges.csc_rows, edges.csc_columns), csc_kept, size)
    numbers = jnp.cumsum(kept, dtype=jnp.int32) - 1
    return Edges(rows, columns, numbers[csc_order], csc_rows, csc_columns, attr)


def random_subset(key: jax.Array, order: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """A random subset of the numbers below n; uniform, unless keys are of unsafe_rbg.

    Args:
        key: PRNG key.
        order: int [n], the numbers in some order.
        size: how many are in the subset.

    Returns:
        Which numbers are in it, bool [n], and the same in that order.
    """
    n = order.size
    numbers = jnp.arange(n)
    words, words_in_order = folded_words(key, numbers), folded_words(key, order)

    bound = _bound.bind(words, size=size)
    tied = words == bound  # Of numbers that tie, the first are in the subset.
    first = tied & (jnp.cumsum(tied) <= size - jnp.sum(words < bound))
    end = jnp.max(jnp.where(first, numbers + 1, 0), initial=0)
    return (words < bound) | first, (words_in_order < bound) | ((words_in_order == bound) & (order < end))


def _bound_by_bits(words: jax.Array, size: int) -> jax.Array:
    """The largest bound below which there are at most `size` words; the highest bit of all is found first."""

    def refine(i: jax.Array, bound: jax.Array) -> jax.Array:
        raised = bound | (jnp.uint32(1 << 31) >> i)
        return jnp.where(jnp.sum(words < raised) <= size, raised, bound)

    return jax.lax.fori_loop(jnp.uint32(0), jnp.uint32(32), refine, jnp.uint32(0))


def _bound_by_order(words: jax.Array, size: int) -> jax.Array:
    """The same from the sorted words: GPUs sort them sooner than a host starts the kernels of 32 rounds."""
    return jnp.sort(words)[size] if size < words.size else jnp.uint32(0xFFFFFFFF)


def compact(arrays: Any, kept: jax.Array, size: int) -> Any:
    """The first entries of arrays that are kept, in their order.

    Args:
        arrays: pytree of arrays [n].
        kept: bool [n].
        size: how many to return; at least so many are kept.

    Returns:
        Arrays [size].
    """
    by_shifts, by_places = partial(_compact_by_shifts, size=size), partial(_compact_by_places, size=size)
    return jax.lax.platform_dependent(arrays, kept, tpu=by_shifts, default=by_places)


def _compact_by_places(arrays: Any, kept: jax.Array, size: int) -> Any:
    places = _places.bind(kept, size=size)
    return jax.tree.map(lambda x: x[places], arrays)


def _places_by_scatter(kept: jax.Array, size: int) -> jax.Array:
    """Where the first entries that are kept lie, int32 [size]."""
    # What is not kept goes to the place of what is kept before it, where 0 changes no maximum.
    number = jnp.maximum(jnp.cumsum(kept, dtype=jnp.int32) - 1, 0)
    place = jnp.where(kept, jnp.arange(kept.size, dtype=jnp.int32), 0)
    return jnp.zeros(size, jnp.int32).at[number].max(place, indices_are_sorted=True, mode="drop")


def _places_by_search(kept: jax.Array, size: int) -> jax.Array:
    """The same without a scatter, where entries for one place would wait for each other on a GPU."""
    n_kept, wanted = jnp.cumsum(kept, dtype=jnp.int32), jnp.arange(1, size + 1, dtype=jnp.int32)
    return jnp.searchsorted(n_kept, wanted, method="scan_unrolled").astype(jnp.int32)


def _compact_by_shifts(arrays: Any, kept: jax.Array, size: int) -> Any:
    """Without an index: what is kept moves down by powers of two, the lowest first, so that no two of them meet."""
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


_bound = make_primitive("bound_of_subset", _bound_by_bits, static="size", cuda=_bound_by_order)
_places = make_primitive("places_of_kept", _places_by_scatter, static="size", cuda=_places_by_search)
