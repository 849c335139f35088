"""Columns of a table by role: found by usual names, or as configured; and their values, checked."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkjax.data.sources.tables import Table, first_true
from hkjax.errors import InputError

# Lower case, without separators. Where several columns fit, the earlier name is taken.
_NAMES = {
    "user": """userid user uid userno customerid customer memberid member reviewerid reviewer visitorid visitor
        accountid account playerid readerid listenerid""",
    "item": """itemid item iid itemno movieid movie filmid film bookid book isbn productid product asin parentasin
        trackid track songid song artistid artist businessid articleid article newsid gameid recipeid""",
    "rating": "rating ratings score stars star overall bookrating rate weight count plays playcount listens",
    "label": "label clicked click liked",
    "time": "timestamp time ts datetime date unixreviewtime reviewtime createdat ratedat",
    "name": "title name itemname movietitle booktitle",
    "head": "headid head subject subj h s source",
    "relation": "relationid relation rel predicate pred r p property",
    "tail": "tailid tail object obj t o target value",
    "entity": "entityid entity eid",
    "id": "id entityid entity key",
}
USUAL_NAMES: Mapping[str, Sequence[str]] = {role: names.split() for role, names in _NAMES.items()}
# Columns of counts and weights: more is not a better opinion.
COUNTS = frozenset({"weight", "count", "plays", "playcount", "listens"})


_NUMBER = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
_ZONED = r"^(?P<local>.*\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)$"


def normalize(name: str) -> str:
    """Returns a column name in lower case, without separators."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_column(table: Table, role: str, columns: Mapping[str, str] = {}, also: Sequence[str] = ()) -> str | None:
    """Finds the column of a role; None where no column fits.

    Args:
        table: the table.
        role: a key of `USUAL_NAMES`.
        columns: columns by role, as configured; they take precedence over the usual names.
        also: further roles whose names count.

    Raises:
        InputError: the configured column is missing, or several columns fit equally well.
    """
    names = table.data.column_names
    if role in columns:
        if columns[role] not in names:
            raise InputError(
                f"{table.name}: no column {columns[role]!r} for the {role}; it has {', '.join(map(repr, names))}"
            )
        return columns[role]
    usual = [name for each in (role, *also) for name in USUAL_NAMES[each]]
    fitting = sorted((name for name in names if normalize(name) in usual), key=lambda x: usual.index(normalize(x)))
    # movie_id and movie are an id and a name of one thing; user and customer_id are two things.
    ids = [name for name in fitting if normalize(name).endswith("id")]
    nouns = {normalize(name).removesuffix("id").removesuffix("no") for name in fitting} - {""}
    chosen = ids if ids and len(nouns) <= 1 else fitting
    if role in ("user", "item", "id") and len(chosen) > 1:
        raise InputError(
            f"{table.name}: {' and '.join(map(repr, sorted(chosen)))} could each be the {role}; "
            f"choose one by data.tables.columns (--columns={role}:{chosen[0]})"
        )
    return chosen[0] if chosen else None


def require_column(table: Table, role: str, columns: Mapping[str, str] = {}, also: Sequence[str] = ()) -> str:
    """Finds a column by `find_column`; a missing one is an InputError that lists the existing ones."""
    name = find_column(table, role, columns, also)
    if name is None:
        raise InputError(
            f"{table.name}: no column looks like the {role}; it has {', '.join(map(repr, table.data.column_names))}; "
            f"choose one by data.tables.columns (--columns={role}:NAME), or, if interactions have no header row, name "
            "all by --header=NAME,NAME"
        )
    return name


def ids(table: Table, name: str) -> pa.ChunkedArray:
    """Returns a column of ids: strings or whole numbers, none of them missing.

    Raises:
        InputError: a value is missing, or the column holds something else.
    """
    column = _complete(table, name)
    kind = column.type
    if pa.types.is_floating(kind):
        # Beyond 2^53 not every whole number is a float.
        wrong = pc.invert(pc.and_(pc.equal(pc.floor(column), column), pc.less_equal(pc.abs(column), 2.0**53)))
        if pc.any(wrong).as_py():
            row = first_true(wrong)
            raise InputError(f"{table.where(row)}: {name!r} is no id: {column[row].as_py()}")
        return column.cast(pa.int64())
    if pa.types.is_integer(kind):
        return column
    if pa.types.is_string(kind):
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        if pc.any(blank).as_py():
            raise InputError(f"{table.where(first_true(blank))}: no value in the column {name!r}")
        return column
    raise InputError(f"{table.name}: the column {name!r} holds {kind}; ids are strings or whole numbers")


def _complete(table: Table, name: str) -> pa.ChunkedArray:
    """Returns a column; a missing value is an InputError."""
    column = table.column(name)
    if len(column) and column.null_count == len(column):
        raise InputError(f"{table.name}: the column {name!r} is empty")
    if column.null_count:
        raise InputError(f"{table.where(first_true(pc.is_null(column)))}: no value in the column {name!r}")
    return column


def numbers(table: Table, name: str) -> np.ndarray:
    """Returns a column of numbers, float64 [rows].

    Raises:
        InputError: a value is missing or is no number.
    """
    column = _complete(table, name)
    if pa.types.is_string(column.type):
        text = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"^\+", "")
        wrong = pc.invert(pc.match_substring_regex(text, _NUMBER))
        if pc.any(wrong).as_py():
            row = first_true(wrong)
            raise InputError(f"{table.where(row)}: {name!r} is no number: {column[row].as_py()!r}")
        column = text
    try:
        values = column.cast(pa.float64(), safe=False)
    except pa.ArrowException as error:
        raise InputError(f"{table.name}: the column {name!r} holds {column.type}, not numbers") from error
    array = values.to_numpy()
    if not np.isfinite(array).all():
        raise InputError(f"{table.where(int(np.argmin(np.isfinite(array))))}: {name!r} is not finite")
    return array


def times(table: Table, name: str) -> np.ndarray:
    """Returns a column of times as microseconds since 1970, int64 [rows].

    Numbers are seconds, or milli-, micro- or nanoseconds by their size; texts are ISO 8601 dates and times.

    Raises:
        InputError: a value is missing or can't be read.
    """
    column = _complete(table, name)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return column.cast(pa.timestamp("us", getattr(column.type, "tz", None)), safe=False).cast(pa.int64()).to_numpy()
    if pa.types.is_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        if not pc.all(pc.match_substring_regex(text, _NUMBER)).as_py():
            return _iso_times(table, name, text)
    is_whole = pa.types.is_integer(column.type)
    values = column.cast(pa.int64()).to_numpy() if is_whole else numbers(table, name)
    largest = np.abs(values).max(initial=0)
    # The year 5138 in seconds, milliseconds and microseconds; beyond are nanoseconds.
    for bound, scale in ((1e11, 10**6), (1e14, 10**3), (1e17, 1)):
        if largest < bound:
            return (values * scale).astype(np.int64)
    return (values // 1000).astype(np.int64)


def _iso_times(table: Table, name: str, text: pa.ChunkedArray) -> np.ndarray:
    parts = pc.extract_regex(text, _ZONED)
    local = pc.fill_null(pc.struct_field(parts, "local"), "")
    zoned = pc.is_valid(parts)
    local = pc.if_else(zoned, local, text)
    try:
        times = local.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy() // 1000
    except pa.ArrowInvalid:
        for row, value in enumerate(local.to_pylist()):
            try:
                pa.scalar(value).cast(pa.timestamp("ns"))
            except pa.ArrowInvalid as error:
                raise InputError(
                    f"{table.where(row)}: unreadable date {text[row].as_py()!r} in {name!r}; "
                    "write 2020-01-31, 2020-01-31 12:00:00, or seconds since 1970"
                ) from error
        raise
    if not pc.any(zoned).as_py():
        return times
    zone = pc.replace_substring_regex(pc.fill_null(pc.struct_field(parts, "zone"), "Z"), r"Z|UTC|:", "")
    digits = pc.utf8_rpad(pc.replace_substring_regex(zone, r"^[+-]", ""), 4, "0").cast(pa.int64()).to_numpy()
    sign = np.where(pc.starts_with(zone, "-").to_numpy(zero_copy_only=False), -1, 1)
    return times - sign * (digits // 100 * 60 + digits % 100) * 60_000_000


def parse_date(text: str) -> int:
    """Converts a configured date to microseconds since 1970."""
    table = Table(pa.table({"date": [text]}), ())
    try:
        return int(pc.utf8_trim_whitespace(table.column("date")).cast(pa.timestamp("us")).cast(pa.int64())[0].as_py())
    except pa.ArrowInvalid as error:
        raise InputError(f"data.dates: unreadable date {text!r}; write 2020-01-31") from error
