"""Reading a table in any form: files of several formats, folders of parts, data frames.

A source is the path of a file or of a folder of part files, or a glob, or several of them separated by commas. In
Python it may also be a data frame with Arrow's PyCapsule protocol (pandas, polars, duckdb, pyarrow), or a mapping of
column names to arrays.

| suffix | format |
|---|---|
| .csv .tsv .txt .data | text with a header row; separated by comma, semicolon, tab, bar or space, as in that row |
| .inter .item .kg .link | RecBole's atomic files: tabs, and a header of name:type |
| .jsonl .ndjson .json | one JSON object per line |
| .parquet .pq | Parquet |
| .nt | N-Triples, see `hkjax.data.sources.triples` |

Text may be compressed (.gz, .bz2, .zst). It is read as text: an id 007 stays 007.
"""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from hkjax.data.sources.formats import check_names, first_line, first_sentence, has_no_header, read_file, suffix_of
from hkjax.errors import InputError


class Part(NamedTuple):
    """One file of a table.

    Attributes:
        name: path of the file, or name of a data frame.
        first_row: index of its first row in the table.
        first_line: the line of that row in the file; None where the format has no lines.
    """

    name: str
    first_row: int
    first_line: int | None


class Table(NamedTuple):
    """A table that was read.

    Attributes:
        data: its columns.
        parts: the files that it came from.
    """

    data: pa.Table
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The table's name in messages: its first file."""
        return self.parts[0].name

    def column(self, name: str) -> pa.ChunkedArray:
        """Returns a column by its name."""
        return self.data.column(name)

    def where(self, row: int) -> str:
        """Returns a row's file and its line there, or its row where the file has no lines; both count from 1."""
        part = [part for part in self.parts if part.first_row <= row][-1]
        number = row - part.first_row
        return (
            f"{part.name}: row {number + 1}" if part.first_line is None else f"{part.name}:{number + part.first_line}"
        )


def read_table(
    source: Any, header: Sequence[str] = (), what: str = "table", default_header: Sequence[str] = ()
) -> Table:
    """Reads a whole source.

    Args:
        source: see the module.
        header: column names of text files without a header row.
        what: the table's name in messages, where it has no file.
        default_header: column names of text files that begin with a row of numbers.

    Raises:
        InputError: there is no such file, the file is broken, or the parts have different columns.
    """
    if not isinstance(source, str | Path):
        return Table(plain_types(_from_memory(source, what)), (Part(what, 0, None),))
    tables: list[pa.Table] = []
    parts: list[Part] = []
    n_rows = 0
    for path in list_files(source):
        table = read_file(path, header, default_header)
        if tables and {*table.column_names} == {*tables[0].column_names}:
            table = table.select(tables[0].column_names)
        if tables and table.column_names != tables[0].column_names:
            raise InputError(
                f"{path}: has the columns {', '.join(table.column_names)}, "
                f"but {parts[0].name} has {', '.join(tables[0].column_names)}"
            )
        tables.append(table)
        no_header = bool(header) or (bool(default_header) and has_no_header(path))
        parts.append(Part(str(path), n_rows, first_line(path, no_header)))
        n_rows += table.num_rows
    try:
        return Table(plain_types(pa.concat_tables(tables, promote_options="permissive")), tuple(parts))
    except pa.ArrowException as error:
        for part, table in zip(parts, tables, strict=True):
            for name, kind, first in zip(table.column_names, table.schema.types, tables[0].schema.types, strict=True):
                if kind != first:
                    raise InputError(f"{part.name}: {name!r} holds {kind}, but {first} in {parts[0].name}") from error
        raise


def list_files(source: str | Path) -> list[Path]:
    """Lists the files of a path, a folder or a glob, by name; or of several of them, separated by commas.

    Raises:
        InputError: there is none, or a folder holds files of several formats.
    """
    path = Path(source).expanduser()
    if "," in str(source) and not path.exists():
        return [file for part in str(source).split(",") for file in list_files(part)]
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith((".", "_")))
        if not files:
            raise InputError(f"{path}: the folder has no files")
        suffixes = {suffix_of(file) for file in files}
        if len(suffixes) > 1:
            raise InputError(
                f"{path}: has files of several formats ({', '.join(sorted(suffixes))}); name one by a glob"
            )
        return files
    if path.is_file():
        return [path]
    found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    files = [file for file in found if file.is_file() and not file.name.startswith((".", "_"))]
    if not files:
        raise InputError(f"{source}: no such file")
    return files


def plain_types(table: pa.Table) -> pa.Table:
    """Converts every storage type of texts, lists and half-precision floats to one type each."""
    for index, field in enumerate(table.schema):
        column = _plain_type(table.column(index))
        if column.type != field.type:
            table = table.set_column(index, field.name, column)
    return table


def _plain_type(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        chunks = [
            _plain_type(pa.chunked_array([chunk.dictionary])).combine_chunks().take(chunk.indices)
            for chunk in column.chunks
        ]
        return pa.chunked_array(chunks) if chunks else pa.chunked_array([], pa.string())
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return column.cast(pa.string())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    lists = (pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view, pa.types.is_large_list_view)
    if any(is_kind(kind) for is_kind in lists):
        return column.cast(pa.list_(kind.value_type))
    return column


def _from_memory(source: Any, what: str) -> pa.Table:
    if not isinstance(source, Mapping) and not hasattr(source, "__arrow_c_stream__"):
        raise InputError(
            f"{what}: expected a path, a data frame with __arrow_c_stream__ or a mapping of columns, "
            f"found {type(source).__name__}"
        )
    try:
        table = pa.table(source)
        check_names(table, what)
        return table
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(f"{what}: can't be read: {first_sentence(error)}") from error


def first_true(mask: pa.ChunkedArray) -> int:
    """Returns the first row where a column of booleans is true."""
    return pc.index(mask, True).as_py()
