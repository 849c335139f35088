"""Products of lists with a sparse matrix, for processors that run loops: each member adds its own entries."""

from typing import Any

import jax
import jax.numpy as jnp

# Entries added at a time.
CHUNK = 128


def sums_by_members(neighbours: Any, by_source: Any, lists: Any, rows: jax.Array) -> jax.Array:
    """Equals `hkjax.ops.lists.neighbour_sums`; takes as many steps as a row's members have entries."""
    n = neighbours.sources.shape[0]
    slots = jnp.arange(CHUNK, dtype=jnp.int32)

    def of_row(row: jax.Array) -> jax.Array:
        def add_member(member: jax.Array, total: jax.Array) -> jax.Array:
            source, weight = lists.values[member], lists.weights[member]
            start, length = by_source.start[source], by_source.length[source]

            def add_chunk(chunk: jax.Array, total: jax.Array) -> jax.Array:
                first = chunk * CHUNK
                targets, weights = (
                    jax.lax.dynamic_slice_in_dim(x, start + first, CHUNK) for x in (by_source.values, by_source.weights)
                )
                targets = jnp.where(slots < length - first, targets, n)
                return total.at[targets].add(weight * weights, mode="drop")

            return jax.lax.fori_loop(0, (length + CHUNK - 1) // CHUNK, add_chunk, total)

        start = lists.start[row]
        zeros = jnp.zeros(n, jnp.result_type(lists.weights, by_source.weights))
        return jax.lax.fori_loop(start, start + lists.length[row], add_member, zeros)

    return jax.lax.map(of_row, rows)
