"""Tables on the terminal and in files."""

import json
import sys
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table

from hkjax.errors import InputError, printable
from hkjax.files import clear_errors

_SUFFIXES = (".csv", ".jsonl", ".parquet")


def check_output(name: str | None) -> Path | None:
    """Returns the path of a new output file.

    Raises:
        InputError: it exists, or has none of the suffixes.
    """
    if name is None:
        return None
    path = Path(name)
    if path.suffix not in _SUFFIXES:
        raise InputError(f"--output={name}: expected a name that ends in {', '.join(_SUFFIXES)}")
    if path.exists():
        raise InputError(f"--output={name}: exists already; choose another name")
    return path


def make_console(width: int | None = None) -> Console:
    """Returns a console for names from users, where brackets and colons are not markup."""
    return Console(width=width, markup=False, emoji=False)


def write_table(table: pa.Table, path: Path) -> None:
    """Writes a table into a new file, whole or not at all."""
    with clear_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.tmp")
        if path.suffix == ".parquet":
            pa.parquet.write_table(table, draft)
        elif path.suffix == ".csv":
            pa.csv.write_csv(table, draft)
        else:
            with draft.open("w", encoding="utf-8") as file:
                for batch in table.to_batches(max_chunksize=1 << 16):
                    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
        draft.replace(path)
    print(f"{len(table):,} rows in {path}")


def print_table(table: pa.Table) -> None:
    """Prints recommendations, a table for each user."""
    console = make_console(None if sys.stdout.isatty() else 160)
    for user, rows in groupby(table.to_pylist(), key=lambda row: row["user"]):
        shown = Table("rank", "item", "name", "score", "because", title=printable(f"for {user}"), title_justify="left")
        for row in rows:
            name = row["name"] if row["name"] != row["item"] else ""
            shown.add_row(
                str(row["rank"]),
                printable(row["item"]),
                printable(name),
                "" if row["score"] is None else f"{row['score']:.3f}",
                printable(row["because"]),
            )
        console.print(shown)
