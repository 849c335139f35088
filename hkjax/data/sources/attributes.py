"""Attribute fields from the columns of an items table: lists, texts, numbers, dates."""

import itertools
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkjax.data.sources.columns import ids, normalize
from hkjax.data.sources.content import Attributes
from hkjax.data.sources.tables import Table
from hkjax.data.sources.vocabulary import Column, encode
from hkjax.errors import InputError

_MISSING = pa.array(["", "nan", "none", "null", "n/a", "\\n"])
# Up to this count, different numbers are values; more are cut into ranges.
_MOST_NUMBERS = 20
_N_RANGES = 5
# A text column with this share of numbers is read as numbers.
_NUMERIC = 0.95
# Columns of codes: never cut into ranges.
_CODES = r"(id|code|zip|number|no)$"


def attributes(
    table: Table, id_column: str, name_column: str | None, separator: str
) -> tuple[list[Attributes], list[str]]:
    """Returns the attribute fields of an items table: one per column besides the id and the name.

    Args:
        table: one row per item.
        id_column, name_column: those two columns.
        separator: separates the values of a multi-valued text column.

    Returns:
        The fields, and a warning for each column that gives none.

    Raises:
        InputError: an item has two rows.
    """
    item = encode(ids(table, id_column))
    if len(item.values) < len(item.indices):
        doubled = int(np.flatnonzero(np.bincount(item.indices) > 1)[0])
        first, second = np.flatnonzero(item.indices == doubled)[:2]
        raise InputError(
            f"{table.where(int(second))}: item {item.values[doubled].as_py()!r} has a row already, "
            f"{table.where(int(first))}; give each item one row, with several values separated by {separator!r}"
        )
    fields, warnings = [], []
    for name in table.data.column_names:
        if name in (id_column, name_column):
            continue
        rows, values = _values(table.column(name), name, separator)
        if any(re.fullmatch(r"\S+ to \S+", value) for value in values[:1].to_pylist()):
            warnings.append(f"{table.name}: the numbers of {name!r} are cut into {_N_RANGES} ranges")
        if not len(values):
            warnings.append(f"{table.name}: the column {name!r} has no value that can be a field")
            continue
        value = encode(values)
        n_rows, n_values = len(np.unique(rows)), len(value.values)
        if n_values == 1 and len(item.values) > 1:
            warnings.append(f"{table.name}: the column {name!r} has the same value for all its items: no field")
            continue
        if n_rows == len(rows) and n_rows >= 20 and n_values > 0.9 * n_rows:
            warnings.append(f"{table.name}: the column {name!r} has another value for nearly every item: no field")
            continue
        fields.append(Attributes(name, Column(item.values, item.indices[rows]), value))
    return fields, warnings


def _values(column: pa.ChunkedArray, name: str, separator: str) -> tuple[np.ndarray, pa.Array]:
    """Returns the rows that have a value, and the values; a row with several values occurs several times."""
    kind = column.type
    if pa.types.is_list(kind):
        rows = pc.list_parent_indices(column).to_numpy().astype(np.int64)
        if pa.types.is_nested(kind.value_type) or pa.types.is_binary(kind.value_type):
            return np.zeros(0, np.int64), pa.array([], pa.string())
        return _present(rows, pc.list_flatten(column).cast(pa.string()))
    rows = np.arange(len(column))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _decades(rows, pc.year(column))
    if pa.types.is_boolean(kind):
        return _present(rows, column.cast(pa.string()))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(rows, column.cast(pa.float64(), safe=False), name)
    if not pa.types.is_string(kind):
        return rows[:0], pa.array([], pa.string())
    rows, text = _present(rows, column.cast(pa.string()))
    if not len(text):
        return rows, text
    if separator and pc.any(pc.match_substring(text, separator)).as_py():
        lists = pc.split_pattern(text, separator)
        return _present(rows[pc.list_parent_indices(lists).to_numpy()], pc.list_flatten(lists))
    if pc.any(pc.match_substring_regex(text, r"^0\d")).as_py():
        return rows, text  # Codes, such as 00501.
    number = pc.match_substring_regex(text, r"^[-+]?\d+(\.\d+)?$")
    # A few words among numbers, such as "unknown", are no values.
    if pc.sum(number).as_py() >= _NUMERIC * len(text):
        return _numbers(rows[number.to_numpy(zero_copy_only=False)], text.filter(number).cast(pa.float64()), name)
    if pc.all(pc.match_substring_regex(text, r"^\d{4}-\d\d(-\d\d.*)?$")).as_py():
        return _decades(rows, pc.utf8_slice_codeunits(text, 0, 4).cast(pa.int64()))
    return rows, text


def _present(rows: np.ndarray, text: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Trims texts, and drops those for a missing value."""
    if isinstance(text, pa.ChunkedArray):
        text = pa.concat_arrays([pa.array([], text.type), *text.chunks])
    text = pc.utf8_trim_whitespace(pc.fill_null(text, ""))
    kept = pc.invert(pc.is_in(pc.utf8_lower(text), _MISSING))
    return rows[kept.to_numpy(zero_copy_only=False)], text.filter(kept)


def _numbers(rows: np.ndarray, column: pa.ChunkedArray | pa.Array, name: str) -> tuple[np.ndarray, pa.Array]:
    values = column.to_numpy(zero_copy_only=False).astype(np.float64)
    kept = np.isfinite(values)
    rows, values = rows[kept], values[kept]
    distinct, whole = np.unique(values), (values == np.floor(values)).all()
    if (
        whole
        and len(values)
        and re.search("year|date|released", normalize(name))
        and 1000 <= values.min() <= values.max() <= 2200
    ):
        return _decades(rows, pa.array(values.astype(np.int64)))
    if len(distinct) <= _MOST_NUMBERS or re.search(_CODES, normalize(name)):
        return rows, pa.array([f"{value:.10g}" for value in values], pa.string())
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _N_RANGES + 1)))
    # The fewest digits by which the edges differ.
    digits = next(n for n in range(4, 18) if len({f"{edge:.{n}g}" for edge in edges}) == len(edges))
    names = [f"{low:.{digits}g} to {high:.{digits}g}" for low, high in itertools.pairwise(edges)]
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(names) - 1)
    return rows, pa.array(names, pa.string()).take(pa.array(place))


def _decades(rows: np.ndarray, years: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, pa.Array]:
    known = pc.is_valid(years).to_numpy(zero_copy_only=False)
    decades = years.filter(pc.is_valid(years)).to_numpy(zero_copy_only=False).astype(np.int64) // 10 * 10
    return rows[known], pa.array([f"{decade}s" for decade in decades], pa.string())


def item_names(table: Table, name_column: str) -> pa.Array:
    """Returns the items' names, [rows]; the empty string for none."""
    column = table.column(name_column)
    if pa.types.is_list(column.type):
        column = pc.binary_join(column, " ")
    text = pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
    return pa.concat_arrays([pa.array([], pa.string()), *text.chunks])
