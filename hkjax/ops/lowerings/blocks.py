"""Loops over blocks of rows that fit a cache.

A CPU waits for memory in these products and sums, so it takes one small block at a time: its rows stay in the cache.
Other devices hide the wait by having many rows in flight. Their far larger blocks only bound the memory.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.ops.lowerings.table import by_platform

SIZE, LARGE_SIZE = 2048, 1 << 20


def map_rows(function: Callable[[Any], Any], rows: Any, width: int = 1, at_once: bool = False) -> Any:
    """Applies a function that maps each row by itself: arrays [n, ...] to arrays [n, ...].

    Args:
        function: takes any number of rows, rows of zeros included.
        rows: pytree of arrays [n, ...].
        width: the size of a row, in usual ones.
        at_once: whether all rows may be taken at once: one kernel maps them and holds nothing else.
    """

    n, few = jax.tree.leaves(rows)[0].shape[0], max(1, SIZE // width)
    if n <= few:
        return function(rows)

    def in_blocks(rows: Any, size: int) -> Any:
        if n <= size:
            return function(rows)
        result = jax.lax.map(function, jax.tree.map(lambda x: _cut_blocks(x, size, 0), rows))
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:n], result)

    many = max(1, LARGE_SIZE // width)
    ways: dict[str, Callable[..., Any]] = {
        "large blocks": partial(in_blocks, size=many),
        "small blocks": partial(in_blocks, size=few),
    }
    if at_once and n > many:
        ways["whole"] = function
    return by_platform("map_rows", ways, rows)


def add_rows(function: Callable[[jax.Array, Any], jax.Array], total: jax.Array, rows: Any, fills: Any) -> jax.Array:
    """Adds rows to a total, in their order.

    Args:
        function: (total, rows) -> total; takes any number of rows.
        total: the initial total.
        rows: pytree of arrays [n, ...].
        fills: the padding value of each array of `rows`; rows of padding must add nothing.
    """

    n = jax.tree.leaves(rows)[0].shape[0]
    if n <= SIZE:
        return function(total, rows)

    def in_blocks(total: jax.Array, rows: Any, size: int) -> jax.Array:
        if n <= size:
            return function(total, rows)
        blocks = jax.tree.map(lambda x, fill: _cut_blocks(x, size, fill), rows, fills)
        return jax.lax.scan(lambda total, block: (function(total, block), None), total, blocks)[0]

    ways = {"large blocks": partial(in_blocks, size=LARGE_SIZE), "small blocks": partial(in_blocks, size=SIZE)}
    return by_platform("add_rows", ways, total, rows)


def _cut_blocks(x: jax.Array, size: int, fill: int) -> jax.Array:
    """Cuts [n, ...] into [blocks, size, ...], padded."""
    n, *rest = x.shape
    padding = [(0, -n % size), *[(0, 0)] * len(rest)]
    return jnp.pad(x, padding, constant_values=fill).reshape(-(-n // size), size, *rest)
