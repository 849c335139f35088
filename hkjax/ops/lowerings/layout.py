"""Layouts of tables in memory."""

import jax
from jax.experimental.layout import Layout, with_layout_constraint

from hkjax.ops.lowerings.table import by_platform

# A TPU pads rows to this many entries. By columns it pads d to a multiple of 8, and the number of rows to one of 128.
_LANES = 128
# A TPU pads a row of a part to 512 bytes. That takes fewer cycles, but more memory: with this many rows a quarter of a
# v5e's. More rows would take too much.
MOST_PADDED_ROWS = 1 << 23


def laid_by_columns(table: jax.Array) -> jax.Array:
    """Returns a table [rows, d] itself, which a TPU lays out by columns if d is below 128; any other array as it is.

    By rows such a table takes as much memory as with 128 entries a row. A program gets its tables by columns. But sums
    of rows are laid out by rows, and everything computed from them would inherit that layout.
    """
    if table.ndim != 2 or table.shape[1] >= _LANES:
        return table
    ways = {"as it is": lambda table: table, "by columns": _by_columns}
    return by_platform("laid_by_columns", ways, table)


def lay_part(part: jax.Array, n_rows: int) -> jax.Array:
    """Lays out columns [n_rows, columns] of a divided table, or a device's rows of them: many rows by columns."""
    return laid_by_columns(part) if n_rows > MOST_PADDED_ROWS else part


def _by_columns(table: jax.Array) -> jax.Array:
    return with_layout_constraint(table, Layout(major_to_minor=(1, 0)))
