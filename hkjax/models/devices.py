"""How the devices that take a step together hold its tables, and what they tell each other of them.

A table is a matrix [rows, d]: of embeddings, or of what a layer makes of them. Either every device
holds all rows of all tables, or each holds its own equal share of consecutive rows, the last share
filled up with rows of 0. In the second case no device ever has the whole of a table: where all rows
are wanted, the devices gather some of the columns at a time, about as many numbers as a share has.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

Tables = Sequence[jax.Array]


@dataclasses.dataclass(frozen=True)
class Devices:
    """The devices of a step: one, or those of a named axis.

    The functions that `look_up`, `contract` and `add_up` take are of columns of the tables, whichever
    and however many, with all rows, and after them of the same columns of the arrays `beside`
    [..., d], which are this device's own. What fills tables up, rows or columns, is 0, and so is what
    fills up `beside`; a function must make nothing of it, or only what falls into such rows or columns.

    Attributes:
        axis: the name of the axis; None for one device.
        shares: in so many shares tables are divided, one a device; 1 where all hold them whole.
    """

    axis: str | None = None
    shares: int = 1

    def rows(self, n: int) -> int:
        """How many rows a device holds of a table of n."""
        return -(-n // self.shares)

    def own(self, x: jax.Array, fill: int = 0) -> jax.Array:
        """The device's rows, of [n, ...] that it has whole; `fill` is what fills up."""
        if self.shares == 1:
            return x
        size = self.rows(x.shape[0])
        return jax.lax.dynamic_slice_in_dim(fill_up(x, self.shares, fill), jax.lax.axis_index(self.axis) * size, size)

    def all(self, x: jax.Array) -> jax.Array:
        """Every row, of its own alone, the filling included; for numbers of rows, not for tables."""
        return x if self.shares == 1 else jax.lax.all_gather(x, self.axis, tiled=True)

    def key_of_share(self, key: jax.Array) -> jax.Array:
        """A key for what each device draws of its share of the work, a different one for each."""
        return key if self.axis is None else jax.random.fold_in(key, jax.lax.axis_index(self.axis))

    def key_of_rows(self, key: jax.Array) -> jax.Array:
        """A key for what is drawn of the rows that a device holds: where all hold the same, the same."""
        return key if self.shares == 1 else self.key_of_share(key)

    def sum(self, x: jax.Array) -> jax.Array:
        """The sum over the devices."""
        return x if self.axis is None else jax.lax.psum(x, self.axis)

    def sum_of_rows(self, x: jax.Array) -> jax.Array:
        """The sum over all rows, of the sum over the device's own."""
        return x if self.shares == 1 else jax.lax.psum(x, self.axis)

    def scatter(self, x: jax.Array) -> jax.Array:
        """Adds [n, ...] up over the devices, as far as that is done where it is to be held.

        Where tables are divided, these are the device's own rows of the sum. Elsewhere it is x, the
        device's summand: what is linear in it can be done first, and `complete` adds up.
        """
        return x if self.shares == 1 else jax.lax.psum_scatter(fill_up(x, self.shares), self.axis, tiled=True)

    def complete(self, x: jax.Array) -> jax.Array:
        """The sum over the devices, of what is linear in results of `scatter` and `add_up`."""
        return self.sum(x) if self.shares == 1 else x

    def look_up(
        self, function: Callable[..., jax.Array], tables: Tables, beside: Sequence[jax.Array] = ()
    ) -> jax.Array:
        """A function's columns [..., d], each of the same column of the tables."""
        if self.shares == 1:
            return function(*tables, *beside)
        parts = jax.lax.map(self._of_all_rows(function), self._columns(tables, beside))
        return self._side_by_side(parts, (*tables, *beside)[0].shape[-1])

    def contract(self, function: Callable[..., Any], tables: Tables, beside: Sequence[jax.Array] = ()) -> Any:
        """A function that is a sum over columns: a pytree of arrays."""
        if self.shares == 1:
            return function(*tables, *beside)
        part, columns = self._of_all_rows(function), self._columns(tables, beside)
        one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), columns)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(part, one))

        def add(total: Any, columns: Any) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, part(columns)), None

        return jax.lax.scan(add, zeros, columns)[0]

    def add_up(self, function: Callable[..., jax.Array], tables: Tables, beside: Sequence[jax.Array] = ()) -> jax.Array:
        """As `scatter`, of what a function of columns adds up on this device, [n, d]."""
        return self.look_up(lambda *columns: self.scatter(function(*columns)), tables, beside)

    def _columns(self, tables: Tables, beside: Sequence[jax.Array]) -> tuple[Any, Any]:
        """Cuts [..., d] into [parts, ..., ceil(d / shares)], with no part of columns that only fill up."""

        def cut(x: jax.Array) -> jax.Array:
            width = -(-x.shape[-1] // self.shares)
            x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % width)])
            return jnp.moveaxis(x.reshape(*x.shape[:-1], -1, width), -2, 0)

        return tuple(map(cut, tables)), tuple(map(cut, beside))

    def _side_by_side(self, parts: jax.Array, d: int) -> jax.Array:
        return jnp.moveaxis(parts, 0, -2).reshape(*parts.shape[1:-1], -1)[..., :d]

    def _of_all_rows(self, function: Callable[..., Any]) -> Callable[[Any], Any]:
        # Kept for the reverse pass, the gathered columns would be whole tables.
        @jax.checkpoint
        def of_columns(columns: tuple[Any, Any]) -> Any:
            tables, beside = columns
            return function(*map(self.all, tables), *beside)

        return of_columns


def fill_up(x: jax.Array, shares: int, fill: int = 0) -> jax.Array:
    """Fills [n, ...] up to a multiple of the shares."""
    return jnp.pad(x, [(0, -x.shape[0] % shares)] + [(0, 0)] * (x.ndim - 1), constant_values=fill)


def fetch(x: jax.Array) -> np.ndarray:
    """The whole of an array whose parts may lie on devices of any process."""
    return np.asarray(x if x.is_fully_addressable else multihost_utils.process_allgather(x, tiled=True))


ONE = Devices()
