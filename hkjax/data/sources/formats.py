"""Reading one file of a table: text, JSON lines or Parquet; and messages where it can't be read."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from hkjax.errors import InputError

_COMPRESSED = {".gz", ".bz2", ".zst"}
_TEXT = {".csv", ".tsv", ".txt", ".data", ".inter", ".item", ".kg", ".link"}
_RECBOLE = {".inter", ".item", ".kg", ".link"}
_JSON = {".jsonl", ".ndjson", ".json"}
_PARQUET = {".parquet", ".pq"}
_PROBE_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 23
_JSON_KINDS = {int: "number", float: "number", str: "text", bool: "boolean", list: "list", dict: "object"}
_NUMBER = r"-?[\d.:]+"


def suffix_of(path: Path) -> str:
    """Returns the suffix of a file's format, without that of a compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def read_file(path: Path, header: Sequence[str], default_header: Sequence[str] = ()) -> pa.Table:
    """Reads one file by its suffix.

    Args:
        path: the file.
        header: column names of a text file without a header row.
        default_header: the same, for a file that begins with a row of numbers.

    Raises:
        InputError: the format is unknown, or the file is broken.
    """
    suffix = suffix_of(path)
    if default_header and not header and has_no_header(path):
        header = default_header
    try:
        if suffix in _TEXT:
            table = _split_sequences(path, _read_text(path, header)) if suffix in _RECBOLE else _read_text(path, header)
        elif suffix in _JSON:
            table = _read_json(path)
        elif suffix in _PARQUET:
            table = pa.parquet.read_table(path, partitioning=None)
        else:
            raise InputError(f"{path}: unknown format; known are {' '.join(sorted(_TEXT | _JSON | _PARQUET))} .nt")
    except (pa.ArrowException, OSError, EOFError) as error:
        raise InputError(_explain(path, error)) from error
    check_names(table, str(path))
    return table


def check_names(table: pa.Table, name: str) -> None:
    """Refuses a table that has a column name twice."""
    doubled = {column for column in table.column_names if table.column_names.count(column) > 1}
    if doubled:
        raise InputError(f"{name}: the column {min(doubled)!r} occurs more than once")


def _read_text(path: Path, header: Sequence[str]) -> pa.Table:
    names, delimiter = text_columns(path, header)
    # Between tabs a quotation mark is a character like others.
    quote = False if delimiter == "\t" else '"'
    parse = pa.csv.ParseOptions(delimiter=delimiter, quote_char=quote, newlines_in_values=quote is not False)
    types = dict.fromkeys(names, pa.string())
    convert = pa.csv.ConvertOptions(
        column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
    )

    def read(use_threads: bool) -> pa.Table:
        # skip_rows skips the header: its names may carry RecBole's types.
        options = pa.csv.ReadOptions(
            use_threads=use_threads, block_size=_BLOCK_BYTES, column_names=names, skip_rows=0 if header else 1
        )
        return pa.csv.read_csv(path, options, parse, convert)

    try:
        return read(use_threads=True)
    except pa.ArrowInvalid:
        return read(use_threads=False)  # Fails again, with the row in its message.


def text_columns(path: Path, header: Sequence[str] = ()) -> tuple[list[str], str]:
    """Returns the column names of a text file, without RecBole's types, and its delimiter."""
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            start = stream.read(_PROBE_BYTES)
    except OSError as error:
        raise InputError(_explain(path, error)) from error
    first = start.decode("utf-8-sig", "replace").replace("\r", "\n").split("\n")[0]
    if not first.strip():
        raise InputError(f"{path}: the first line is empty; expected " + ("data" if header else "the columns' names"))
    delimiter = max(",;\t|", key=first.count)
    if not first.count(delimiter) and " " in first.strip():
        delimiter = " "
    if header:
        return list(header), delimiter
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    if all(re.fullmatch(_NUMBER, name) for name in names):
        raise InputError(
            f"{path}:1: expected the columns' names, found {first[:60]!r}; "
            "name the columns by data.tables.header (--header=user,item,rating)"
        )
    if suffix_of(path) in _RECBOLE:
        names = [name.rpartition(":")[0] or name for name in names]
    return names, delimiter


def has_no_header(path: Path) -> bool:
    """Returns whether a text file begins with a row of numbers."""
    if suffix_of(path) not in _TEXT:
        return False
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            start = stream.read(_PROBE_BYTES)
    except OSError as error:
        raise InputError(_explain(path, error)) from error
    first = start.decode("utf-8-sig", "replace").lstrip().replace("\r", "\n").split("\n")[0]
    words = re.split(r"[,;\t| ]+", first.strip())
    return all(re.fullmatch(_NUMBER, word) for word in words)


def _split_sequences(path: Path, table: pa.Table) -> pa.Table:
    """Splits the sequence columns of a RecBole header, such as class:token_seq, at blanks."""
    with pa.input_stream(str(path), compression="detect") as stream:
        header = stream.read(_PROBE_BYTES).decode("utf-8-sig", "replace").splitlines()[0]
    for index, name in enumerate(re.split(r"\t", header)):
        if name.strip().endswith("_seq"):
            column = pc.split_pattern(table.column(index), " ")
            table = table.set_column(index, table.column_names[index], column)
    return table


def _read_json(path: Path) -> pa.Table:
    try:
        table = pa.json.read_json(str(path), pa.json.ReadOptions(block_size=_BLOCK_BYTES))
    except pa.ArrowInvalid as error:
        if "straddling" not in str(error):
            raise InputError(_explain_json(path) or _explain(path, error)) from error
        table = pa.json.read_json(str(path), pa.json.ReadOptions(block_size=1 << 30))
    try:
        table.validate(full=True)  # Arrow's reader does not check UTF-8.
    except pa.ArrowInvalid as error:
        raise InputError(_explain_json(path) or _explain(path, error)) from error
    return table


def _explain_json(path: Path) -> str | None:
    """Describes the first line that is no JSON object or changes a type; Arrow counts rows, not lines."""
    kinds: dict[str, str] = {}
    with pa.input_stream(str(path), compression="detect") as stream:
        lines = stream.read().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except UnicodeDecodeError:
            return f"{path}:{number}: not UTF-8; convert it, for instance by iconv -f latin1 -t utf-8"
        except ValueError:
            return f"{path}:{number}: expected one JSON object, found {line.decode()[:60]!r}"
        if not isinstance(row, dict):
            return f"{path}:{number}: expected one JSON object, found {line.decode()[:60]!r}"
        for key, value in row.items():
            kind = _JSON_KINDS.get(type(value))
            if kind is not None and kinds.setdefault(key, kind) != kind:
                return f"{path}:{number}: {key} is a {kind}, and a {kinds[key]} in the rows before"
    return None


def first_line(path: Path, no_header: bool) -> int | None:
    """Returns the line of a file's first row; None where the format has no lines."""
    if suffix_of(path) in _PARQUET:
        return None
    return 2 if suffix_of(path) in _TEXT and not no_header else 1


def _explain(path: Path, error: Exception) -> str:
    """Explains in one line why a file can't be read, with the row where Arrow reports it."""
    text = first_sentence(error)
    row = re.search(r"[Rr]ow #?(\d+)", text)
    place = f"{path}:{row[1]}" if row else str(path)
    if "UTF8" in text:
        return f"{place}: not UTF-8; convert it, for instance by iconv -f latin1 -t utf-8"
    if expected := re.search(r"Expected (\d+) columns, got (\d+): (.*)", text):
        return f"{place}: expected {expected[1]} columns, found {expected[2]}: {expected[3][:60]!r}"
    if suffix_of(path) in _PARQUET:
        return f"{path}: not a whole Parquet file: {text}"
    if path.suffix.lower() in _COMPRESSED:
        return f"{path}: the compressed file is truncated or broken: {text}"
    return f"{place}: can't be read: {text}"


def first_sentence(error: Exception) -> str:
    """Returns the first line of an error's message, cut to a readable length."""
    return str(error).splitlines()[0].split(" Detail:")[0][:200]
