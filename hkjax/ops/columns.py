"""Functions of whole tables, a few columns at a time, where every device holds some of the rows.

A function of all rows of a table gets some of the columns, gathered from all devices, then the next columns. No device
ever holds a whole table: a gathered part, [rows, ceil(d / r)], is as large as a shard.

The functions that are passed in take any columns of the tables, with all rows, and then the same columns of the arrays
`beside`, which are this device's own. Padding of rows or columns is 0.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.ops.collectives import ROWS, all_gather, axis_size, psum_scatter
from hkjax.ops.lowerings.layout import lay_part

Arrays = Sequence[jax.Array]


def map_columns(function: Callable[..., jax.Array], tables: Arrays, beside: Arrays = ()) -> jax.Array:
    """Applies a function that acts on each column by itself.

    Args:
        function: (columns of the tables, columns of `beside`) -> [..., columns].
        tables: this device's rows of each, [rows, d].
        beside: arrays [..., d].

    Returns:
        [..., d].
    """
    if axis_size(ROWS) == 1:
        return function(*tables, *beside)
    parts = jax.lax.map(_with_all_rows(function), _cut_columns(tables, beside))
    d = (*tables, *beside)[0].shape[-1]
    return jnp.moveaxis(parts, 0, -2).reshape(*parts.shape[1:-1], -1)[..., :d]


def sum_columns(function: Callable[..., Any], tables: Arrays, beside: Arrays = ()) -> Any:
    """Applies a function that sums over columns, with any pytree as result; arguments as in `map_columns`."""
    if axis_size(ROWS) == 1:
        return function(*tables, *beside)
    part, columns = _with_all_rows(function), _cut_columns(tables, beside)
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), columns)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(part, one))

    def add(total: Any, columns: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, part(columns)), None

    return jax.lax.scan(add, zeros, columns)[0]


def reduce_columns(function: Callable[..., jax.Array], tables: Arrays, beside: Arrays = ()) -> jax.Array:
    """Applies a function of columns on each device, and sums the results over ROWS.

    Args:
        function: as in `map_columns`, to [n, columns].
        tables, beside: as in `map_columns`.

    Returns:
        This device's rows of the sum, [ceil(n / r), d]. The sum over DATA is left to the caller.
    """

    def reduced(*columns: jax.Array) -> jax.Array:
        total = function(*columns)
        n_rows = total.shape[0]
        return lay_part(psum_scatter(lay_part(total, n_rows)), n_rows)

    return map_columns(reduced, tables, beside)


def _cut_columns(tables: Arrays, beside: Arrays) -> tuple[Any, Any]:
    """Cuts [..., d] into [parts, ..., ceil(d / r)], without a part that is only padding."""
    n_shards = axis_size(ROWS)

    def cut(x: jax.Array) -> jax.Array:
        width = -(-x.shape[-1] // n_shards)
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % width)])
        return jnp.moveaxis(x.reshape(*x.shape[:-1], -1, width), -2, 0)

    return tuple(map(cut, tables)), tuple(map(cut, beside))


def _with_all_rows(function: Callable[..., Any]) -> Callable[[Any], Any]:
    # Saved for the reverse pass, the gathered columns would add up to whole tables.
    @jax.checkpoint
    def of_columns(columns: tuple[Any, Any]) -> Any:
        tables, beside = columns
        return function(*map(_gather, tables), *beside)

    return of_columns


def _gather(part: jax.Array) -> jax.Array:
    n_rows = part.shape[0] * axis_size(ROWS)
    return lay_part(all_gather(lay_part(part, n_rows)), n_rows)
