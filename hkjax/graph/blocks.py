"""Loops over blocks of rows that fit a cache.

On a CPU these products and sums wait for memory, and what a block leaves in the cache need not be
fetched again. Other devices hide that wait by having many rows in flight: they take all at once.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

SIZE = 2048


def map_rows(function: Callable[[Any], Any], rows: Any, width: int = 1) -> Any:
    """Applies a function of rows: arrays [n, ...] to arrays [n, ...], each row to its own.

    Args:
        function: must accept any number of rows, and rows of zeros.
        rows: pytree of arrays [n, ...].
        width: how many of the usual rows one row stands for.
    """

    def in_blocks(rows: Any) -> Any:
        n = jax.tree.leaves(rows)[0].shape[0]
        blocks = jax.tree.map(lambda x: _cut(x, max(1, SIZE // width), 0), rows)
        result = jax.lax.map(function, blocks)
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:n], result)

    return jax.lax.platform_dependent(rows, cpu=in_blocks, default=function)


def add_rows(function: Callable[[jax.Array, Any], jax.Array], total: jax.Array, rows: Any, fills: Any) -> jax.Array:
    """Adds rows up: (total, rows) -> total, in the order of the rows.

    Args:
        function: must accept any number of rows.
        total: what to add to.
        rows: pytree of arrays [n, ...].
        fills: a number for each array of `rows`; rows filled with them must add nothing.
    """

    def in_blocks(total: jax.Array, rows: Any) -> jax.Array:
        blocks = jax.tree.map(lambda x, fill: _cut(x, SIZE, fill), rows, fills)
        return jax.lax.scan(lambda total, block: (function(total, block), None), total, blocks)[0]

    return jax.lax.platform_dependent(total, rows, cpu=in_blocks, default=function)


def inner(a: jax.Array, b: jax.Array) -> jax.Array:
    """Inner products along the last axis: [..., d] and [..., d] to [...]."""

    def by_dot(a: jax.Array, b: jax.Array) -> jax.Array:
        # XLA's CPU backend keeps a sum in its order, one term after the other; a dot it vectorises.
        return (a * b) @ jnp.ones(a.shape[-1], a.dtype)

    return jax.lax.platform_dependent(a, b, cpu=by_dot, default=lambda a, b: jnp.sum(a * b, axis=-1))


def spread(scales: jax.Array, d: int) -> jax.Array:
    """Repeats a number of each row along it, [...] to [..., d], so that the transpose is a dot as in `inner`."""

    def by_dot(scales: jax.Array) -> jax.Array:
        return scales[..., None] @ jnp.ones((1, d), scales.dtype)

    def by_repeating(scales: jax.Array) -> jax.Array:
        return jnp.broadcast_to(scales[..., None], (*scales.shape, d))

    return jax.lax.platform_dependent(scales, cpu=by_dot, default=by_repeating)


def _cut(x: jax.Array, size: int, fill: int) -> jax.Array:
    """[n, ...] to [blocks, at most size, ...], filled up."""
    n, *rest = x.shape
    size = max(1, min(size, n))
    padding = [(0, -n % size), *[(0, 0)] * len(rest)]
    return jnp.pad(x, padding, constant_values=fill).reshape(-(-n // size), size, *rest)
