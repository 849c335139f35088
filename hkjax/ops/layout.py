"""How tables lie in memory."""

import jax
from jax.experimental.layout import Layout, with_layout_constraint


def laid_by_columns(table: jax.Array) -> jax.Array:
    """A table [rows, d] itself, which a TPU lays out by columns; arrays of other ranks as they are.

    A TPU pads rows to 128 numbers, but not columns. Tables come to it by columns, while sums of rows are laid out by
    rows, and so would all be that is computed from them.
    """
    if table.ndim != 2:
        return table
    by_columns = Layout(major_to_minor=(1, 0))
    return jax.lax.platform_dependent(
        table, tpu=lambda table: with_layout_constraint(table, by_columns), default=lambda table: table
    )
