"""Which column of a table is which: by its usual names, or as configured; and its values, checked."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkjax.data.tables import Table, first_true
from hkjax.errors import InputError

# Lower case, without separators. The earlier a name, the sooner it is taken where several columns fit.
_NAMES = {
    "user": """userid user uid userno customerid customer memberid member reviewerid reviewer visitorid visitor
        accountid account playerid readerid listenerid""",
    "item": """itemid item iid itemno movieid movie filmid film bookid book isbn productid product asin parentasin
        trackid track songid song artistid artist businessid articleid article newsid gameid recipeid""",
    "rating": "rating ratings score stars star overall bookrating rate weight count plays playcount listens",
    "label": "label clicked click liked",
    "time": "timestamp time ts datetime date unixreviewtime reviewtime createdat ratedat",
    "name": "title name itemname movietitle booktitle label",
    "head": "headid head subject subj h s source",
    "relation": "relationid relation rel predicate pred r p property",
    "tail": "tailid tail object obj t o target value",
    "entity": "entityid entity eid",
    "id": "id entityid entity key",
}
USUAL_NAMES: Mapping[str, Sequence[str]] = {role: names.split() for role, names in _NAMES.items()}
# Columns of counts and weights, of which more is not a better opinion.
COUNTS = frozenset({"weight", "count", "plays", "playcount", "listens"})


def normalize(name: str) -> str:
    """A column name in lower case, without separators."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_column(table: Table, role: str, columns: Mapping[str, str] = {}, also: Sequence[str] = ()) -> str | None:
    """The column of a role; None where no column fits.

    Args:
        table: the table.
        role: a key of `USUAL_NAMES`.
        columns: columns by role, as configured; they go before the usual names.
        also: further roles whose names count.

    Raises:
        InputError: the configured column is not there, or several columns fit equally well.
    """
    names = table.data.column_names
    if role in columns:
        if columns[role] not in names:
            raise InputError(
                f"{table.name}: no column {columns[role]!r} for the {role}; it has {', '.join(map(repr, names))}"
            )
        return columns[role]
    usual = [name for each in (role, *also) for name in USUAL_NAMES[each]]
    fitting = [name for name in names if normalize(name) in usual]
    # Columns that are meant by the same role beside each other, such as user and customer_id, are ambiguous;
    # movie_id beside movie is an id beside a name.
    best = sorted(fitting, key=lambda name: usual.index(normalize(name)))
    ids = [name for name in best if normalize(name).endswith(("id", "isbn", "asin"))]
    chosen = ids or best
    if role in ("user", "item", "id") and len(chosen) > 1:
        raise InputError(
            f"{table.name}: {' and '.join(map(repr, sorted(chosen)))} could each be the {role}; "
            f"choose one by data.tables.columns (--columns={role}:{chosen[0]})"
        )
    return chosen[0] if chosen else None


def require_column(table: Table, role: str, columns: Mapping[str, str] = {}, also: Sequence[str] = ()) -> str:
    """As `find_column`, but a missing column is an InputError that names those that are there."""
    name = find_column(table, role, columns, also)
    if name is None:
        raise InputError(
            f"{table.name}: no column looks like the {role}; it has {', '.join(map(repr, table.data.column_names))}; "
            f"choose one by data.tables.columns (--columns={role}:NAME)"
        )
    return name


def ids(table: Table, name: str) -> pa.ChunkedArray:
    """A column of ids: strings or whole numbers, none of them missing.

    Raises:
        InputError: a value is missing, or the column holds something else.
    """
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        if column.null_count == len(column):
            raise InputError(f"{table.name}: the column {name!r} is empty")
        raise InputError(f"{table.where(first_true(pc.is_null(column)))}: no value in the column {name!r}")
    kind = column.type
    if pa.types.is_floating(kind):
        fraction = pc.not_equal(pc.floor(column), column)
        if pc.any(fraction).as_py():
            row = first_true(fraction)
            raise InputError(f"{table.where(row)}: {name!r} is no id: {column[row].as_py()}")
        return column.cast(pa.int64())
    if pa.types.is_integer(kind):
        return column
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return column.cast(pa.string())
    raise InputError(f"{table.name}: the column {name!r} holds {kind}; ids are strings or whole numbers")


def numbers(table: Table, name: str) -> np.ndarray:
    """A column of numbers, float64 [rows].

    Raises:
        InputError: a value is missing or is no number.
    """
    column = table.column(name)
    try:
        values = column.cast(pa.float64())
    except pa.ArrowException as error:
        if not pa.types.is_string(column.type):
            raise InputError(f"{table.name}: the column {name!r} holds {column.type}, not numbers") from error
        pattern = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
        row = first_true(pc.invert(pc.fill_null(pc.match_substring_regex(column, pattern), True)))
        raise InputError(f"{table.where(row)}: {name!r} is no number: {column[row].as_py()!r}") from error
    if values.null_count:
        raise InputError(f"{table.where(first_true(pc.is_null(values)))}: no value in the column {name!r}")
    array = values.to_numpy()
    if not np.isfinite(array).all():
        raise InputError(f"{table.where(int(np.argmin(np.isfinite(array))))}: {name!r} is not finite")
    return array


def times(table: Table, name: str) -> np.ndarray:
    """A column of times as microseconds since 1970, int64 [rows].

    Numbers are seconds, or milli-, micro- or nanoseconds by their size; texts are ISO 8601 dates and times.

    Raises:
        InputError: a value is missing or can't be read.
    """
    column = table.column(name)
    if column.null_count:
        raise InputError(f"{table.where(first_true(pc.is_null(column)))}: no value in the column {name!r}")
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return column.cast(pa.timestamp("us", getattr(column.type, "tz", None)), safe=False).cast(pa.int64()).to_numpy()
    is_text = pa.types.is_string(column.type)
    if is_text and not pc.all(pc.match_substring_regex(column, r"^\s*\d+(\.\d+)?\s*$")).as_py():
        return _iso_times(table, name, column)
    seconds = numbers(table, name)
    largest = np.abs(seconds).max(initial=0)
    for scale in (1e6, 1e3, 1, 1e-3):
        if largest * scale < 1e17:  # The year 5138 in microseconds.
            return (seconds * scale).astype(np.int64)
    raise InputError(f"{table.name}: {name!r} holds times beyond any calendar")


def _iso_times(table: Table, name: str, column: pa.ChunkedArray) -> np.ndarray:
    text = pc.utf8_trim_whitespace(column)
    text = pc.replace_substring_regex(text, r"(Z|[+-]\d\d:?\d\d)$", "")
    try:
        return text.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        for row, value in enumerate(text.to_pylist()):
            try:
                pa.scalar(value).cast(pa.timestamp("us"))
            except pa.ArrowInvalid as error:
                raise InputError(
                    f"{table.where(row)}: unreadable date {column[row].as_py()!r} in {name!r}; "
                    "write 2020-01-31, 2020-01-31 12:00:00, or seconds since 1970"
                ) from error
        raise


def parse_date(text: str) -> int:
    """A configured date as microseconds since 1970."""
    table = Table(pa.table({"date": [text]}), ())
    try:
        return int(pc.utf8_trim_whitespace(table.column("date")).cast(pa.timestamp("us")).cast(pa.int64())[0].as_py())
    except pa.ArrowInvalid as error:
        raise InputError(f"data.dates: unreadable date {text!r}; write 2020-01-31") from error
