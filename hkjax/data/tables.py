"""Reading a table, whatever form it has: files of several formats, folders of parts, data frames.

A source is the path of a file, of a folder of part files, or a glob; or, in Python, a data frame that speaks Arrow's
PyCapsule protocol (pandas, polars, duckdb, pyarrow), or a mapping of column names to arrays.

| suffix | format |
|---|---|
| .csv .tsv .txt .data | text with a header row; separated by comma, semicolon, tab, bar or space, as that row is |
| .inter .item .kg .link | RecBole's atomic files: tabs, and a header of name:type |
| .jsonl .ndjson .json | one JSON object per line |
| .parquet .pq | Parquet |
| .nt | N-Triples, see `hkjax.data.triples` |

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

from hkjax.data.formats import first_line, first_sentence, read_file, suffix_of
from hkjax.errors import InputError


class Part(NamedTuple):
    """One file of a table.

    Attributes:
        name: of the file, or what a data frame is called.
        first_row: the number of its first row in the table.
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
        """What messages call the table: its first file."""
        return self.parts[0].name

    def column(self, name: str) -> pa.ChunkedArray:
        """A column by its name."""
        return self.data.column(name)

    def where(self, row: int) -> str:
        """The file of a row and its line there, or its row where the file has no lines; both from 1 on."""
        part = [part for part in self.parts if part.first_row <= row][-1]
        number = row - part.first_row
        return (
            f"{part.name}: row {number + 1}" if part.first_line is None else f"{part.name}:{number + part.first_line}"
        )


def read_table(source: Any, header: Sequence[str] = (), what: str = "table") -> Table:
    """Reads a whole source.

    Args:
        source: see above.
        header: names of a text's columns, if it has no header row.
        what: the table's name in messages, where it has no file.

    Raises:
        InputError: there is no such file, the file is broken, or the parts have different columns.
    """
    if not isinstance(source, str | Path):
        return Table(_from_memory(source, what), (Part(what, 0, None),))
    tables: list[pa.Table] = []
    parts: list[Part] = []
    n_rows = 0
    for path in list_files(source):
        table = read_file(path, header)
        if tables and table.column_names != tables[0].column_names:
            raise InputError(
                f"{path}: has the columns {', '.join(table.column_names)}, "
                f"but {parts[0].name} has {', '.join(tables[0].column_names)}"
            )
        tables.append(table)
        parts.append(Part(str(path), n_rows, first_line(path, header)))
        n_rows += table.num_rows
    try:
        return Table(pa.concat_tables(tables, promote_options="permissive"), tuple(parts))
    except pa.ArrowInvalid as error:
        raise InputError(f"{source}: its parts have columns of different types: {first_sentence(error)}") from error


def list_files(source: str | Path) -> list[Path]:
    """The files of a path, a folder or a glob, in the order of their names.

    Raises:
        InputError: there is none, or a folder holds files of several formats.
    """
    path = Path(source).expanduser()
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
    files = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    if not files:
        raise InputError(f"{source}: no such file")
    return files


def _from_memory(source: Any, what: str) -> pa.Table:
    if not isinstance(source, Mapping) and not hasattr(source, "__arrow_c_stream__"):
        raise InputError(
            f"{what}: expected a path, a data frame with __arrow_c_stream__ or a mapping of columns, "
            f"found {type(source).__name__}"
        )
    try:
        return pa.table(source)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(f"{what}: can't be read: {first_sentence(error)}") from error


def first_true(mask: pa.ChunkedArray) -> int:
    """The first row of which a column of booleans is true."""
    return pc.index(mask, True).as_py()
