"""Numbering of ids: from strings or whole numbers of several columns to 0, 1, 2, ..."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Column(NamedTuple):
    """A column of ids by its distinct values.

    Attributes:
        values: the distinct ids as strings.
        indices: int64 [rows], the index of each row's id in `values`.
    """

    values: pa.Array
    indices: np.ndarray


def encode(column: pa.ChunkedArray | pa.Array) -> Column:
    """Finds a column's distinct ids."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if not len(column):
        return Column(pa.array([], pa.string()), np.zeros(0, np.int64))
    encoded = column.dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().chunk(0)
    return Column(encoded.dictionary.cast(pa.string()), encoded.indices.to_numpy().astype(np.int64))


def union(columns: Sequence[pa.Array], without: pa.Array | None = None) -> pa.Array:
    """Returns the distinct ids of several arrays of strings, in order, except those of `without`.

    If all ids are whole numbers, they are ordered by value; otherwise by bytes. So the numbering depends only on the
    ids, and not on the order or the format of the files.
    """
    distinct = pc.unique(pa.concat_arrays([pa.array([], pa.string()), *columns]))
    if without is not None:
        distinct = distinct.filter(pc.invert(pc.is_in(distinct, without)))
    if len(distinct) and pc.all(pc.match_substring_regex(distinct, r"^(0|[1-9]\d{0,17})$")).as_py():
        return distinct.take(pc.sort_indices(distinct.cast(pa.int64())))
    return distinct.take(pc.sort_indices(distinct))


def number(column: Column, ids: pa.Array) -> np.ndarray:
    """Returns the index of each row's id in `ids`, int64 [rows]; -1 for a missing one."""
    places = pc.fill_null(pc.index_in(column.values, ids), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return places[column.indices] if len(places) else np.zeros(0, np.int64)
