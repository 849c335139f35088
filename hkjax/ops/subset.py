"""Random subsets of edges, of an exact size.

Every edge has a random word, and the edges with the smallest words are kept. The word depends only on the key and the
edge's index. So the order of rows and the order of columns keep the same edges.
"""

from typing import Any

import jax
import jax.numpy as jnp

from hkjax.ops.autodiff.primitive import make_primitive
from hkjax.ops.collectives import device_key
from hkjax.ops.lowerings.searches import bound_by_order, compact_by_shifts
from hkjax.ops.lowerings.table import by_platform
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
        round(fraction * edges) of them, at least one; every such subset is equally likely. On a mesh, this
        fraction of each device's part.
    """
    n_edges = edges.rows.shape[0]
    size = max(1, round(n_edges * fraction))
    return select_edges(edges, *random_subset(device_key(key), edges.csc_order, size), size)


def select_edges(edges: Edges, kept: jax.Array, csc_kept: jax.Array, size: int) -> Edges:
    """Selects the edges that are kept.

    Args:
        edges: the edges.
        kept: bool [edges].
        csc_kept: the same in the order of columns.
        size: the number of kept edges.
    """
    rows, columns, attr = compact((edges.rows, edges.columns, edges.attr), kept, size)
    csc_order, csc_rows, csc_columns = compact((edges.csc_order, edges.csc_rows, edges.csc_columns), csc_kept, size)
    numbers = jnp.cumsum(kept, dtype=jnp.int32) - 1
    return Edges(rows, columns, numbers[csc_order], csc_rows, csc_columns, attr)


def random_subset(key: jax.Array, order: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Draws a random subset of the indices below n; uniform, unless keys are of unsafe_rbg.

    Args:
        key: PRNG key.
        order: int [n], the indices in some order.
        size: the number of indices in the subset.

    Returns:
        bool [n], true for the indices in the subset, and the same in that order.
    """
    n = order.size
    numbers = jnp.arange(n)
    words, words_in_order = folded_words(key, numbers), folded_words(key, order)

    bound = _bound.bind(words, size=size)
    tied = words == bound  # Of tied indices, the first are in the subset.
    first = tied & (jnp.cumsum(tied) <= size - jnp.sum(words < bound))
    end = jnp.max(jnp.where(first, numbers + 1, 0), initial=0)
    return (words < bound) | first, (words_in_order < bound) | ((words_in_order == bound) & (order < end))


def _bound_by_bits(words: jax.Array, size: int) -> jax.Array:
    """Finds the largest bound with at most `size` words below it, from its highest bit to its lowest."""

    def refine(i: jax.Array, bound: jax.Array) -> jax.Array:
        raised = bound | (jnp.uint32(1 << 31) >> i)
        return jnp.where(jnp.sum(words < raised) <= size, raised, bound)

    return jax.lax.fori_loop(jnp.uint32(0), jnp.uint32(32), refine, jnp.uint32(0))


def compact(arrays: Any, kept: jax.Array, size: int) -> Any:
    """Returns the first kept entries of arrays, in their order.

    Args:
        arrays: pytree of arrays [n].
        kept: bool [n].
        size: the number of entries to return; at least as many are kept.

    Returns:
        Arrays [size].
    """
    return by_platform("compact", {"places": _compact_by_places, "shifts": compact_by_shifts}, arrays, kept, size=size)


def _compact_by_places(arrays: Any, kept: jax.Array, size: int) -> Any:
    # Dropped entries write 0 to the slot of the last kept one; max leaves it unchanged.
    slot = jnp.maximum(jnp.cumsum(kept, dtype=jnp.int32) - 1, 0)
    place = jnp.where(kept, jnp.arange(kept.size, dtype=jnp.int32), 0)
    places = jnp.zeros(size, jnp.int32).at[slot].max(place, indices_are_sorted=True, mode="drop")
    return jax.tree.map(lambda x: x[places], arrays)


_bound = make_primitive("bound_of_subset", {"bits": _bound_by_bits, "sorted words": bound_by_order}, static="size")
