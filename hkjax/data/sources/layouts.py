"""The folder layouts of RippleNet and KGAT: integer ids; an item and its entity have the same id.

Every value is checked, in whole arrays.
"""

import codecs
from pathlib import Path

import numpy as np
import pyarrow as pa

from hkjax.data.checks import is_far_beyond
from hkjax.data.config import DataConfig
from hkjax.data.sources.content import Content, Events, Facts, IdNames
from hkjax.data.sources.vocabulary import encode
from hkjax.errors import InputError

_LARGEST_ID = np.iinfo(np.int32).max - 1
_KINDS = ("user", "item", "entity", "relation")
FILES = (
    *(f"{stem}{suffix}" for stem in ("ratings_final", "kg_final") for suffix in (".txt", ".npy")),
    *("train.txt", "test.txt"),
    *(f"{kind}_list.txt" for kind in _KINDS),
)


def read_layout(config: DataConfig) -> Content:
    """Reads the folder of a configuration with the format `ripplenet` or `kgat`.

    The catalogue holds every item of the interactions and of item_list.txt, and every entity with a smaller id than
    one of those. Ids that never occur are skipped.

    Raises:
        InputError: a missing file, a malformed row, an id out of range or far beyond the others, a test part without
            a row, or a name list that is too short.
    """
    folder = Path(config.path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such data folder")
    tables = []
    if config.format == "ripplenet":
        tables.append(read_rows(folder / "ratings_final.txt", "user item label"))
        wrong = np.flatnonzero(tables[0][:, 2] > 1)
        if wrong.size:
            label = tables[0][wrong[0], 2]
            raise InputError(f"{folder}/ratings_final: row {wrong[0] + 1}: label {label} is neither 0 nor 1")
    else:
        tables.append(read_adjacency(folder / "train.txt"))
        if (folder / "test.txt").exists():
            tables.append(read_adjacency(folder / "test.txt"))
    triples = read_rows(folder / "kg_final.txt", "head relation tail")
    _check_sizes(folder, config.format, tables)
    largest = {kind: max(int(table[:, k].max(initial=-1)) for table in tables) for k, kind in enumerate(_KINDS[:2])}
    lists = {kind: _read_names(folder / f"{kind}_list.txt", kind, largest.get(kind, -1)) for kind in _KINDS}
    named = {kind: names for kind, names in lists.items() if names is not None}
    named_items = named["item"].ids.cast(pa.int64()).to_numpy() if "item" in named else np.zeros(0, np.int64)
    n_items = max(largest["item"], int(named_items.max(initial=-1))) + 1
    entities = triples[:, [0, 2]]
    catalogue = encode(pa.array(entities[entities < n_items])).values
    if "item" in named:
        catalogue = pa.concat_arrays([catalogue, named["item"].ids])
    return Content(
        interactions=_events(tables[0], str(folder)),
        test=_events(tables[1], str(folder)) if len(tables) > 1 else None,
        catalogue=catalogue,
        facts=(Facts(*(encode(pa.array(column)) for column in triples.T)),),
        names=named,
        draws_negatives=True,
    )


def _check_sizes(folder: Path, layout: str, tables: list[np.ndarray]) -> None:
    """Refuses a test part without a row, and an item id so large that entities would count as items."""
    if layout == "kgat" and len(tables) > 1 and not tables[1].size:
        raise InputError(
            f"{folder}/test.txt: holds no item; delete the file for a test part that is cut from train.txt"
        )
    names = ("train.txt", "test.txt") if layout == "kgat" else ("ratings_final",)
    for table, name in zip(tables, names, strict=False):
        items = table[:, 1]
        n_distinct, largest = len(np.unique(items)), int(items.max(initial=-1))
        if is_far_beyond(largest, n_distinct):
            others = f"the {n_distinct} items of this file"
            raise InputError(f"{folder}/{name}: item {largest} is far beyond {others}, which count from 0")


def _events(table: np.ndarray, name: str) -> Events:
    rating = table[:, 2].astype(np.float64) if table.shape[1] == 3 else None
    return Events(encode(pa.array(table[:, 0])), encode(pa.array(table[:, 1])), rating, None, name)


def _read_names(path: Path, kind: str, largest: int) -> IdNames | None:
    names = read_names(path)
    if names is None:
        return None
    if max(names, default=-1) < largest:
        raise InputError(f"{path}: names {len(names)} {kind}s, but the data hold {kind} id {largest}: out of range")
    return IdNames(pa.array(sorted(names)).cast(pa.string()), pa.array([names[k] for k in sorted(names)], pa.string()))


def read_rows(path: Path, columns: str) -> np.ndarray:
    """Reads a table of non-negative integers with one row per line, or the same table saved as .npy.

    Args:
        path: the `.txt` file; where it is absent, `path` with the suffix `.npy` is read instead.
        columns: the columns' names, separated by spaces, e.g. "head relation tail".

    Returns:
        int64 array [rows, columns].

    Raises:
        InputError: the file is missing, or a row is not made of that many non-negative integers.
    """
    width = len(columns.split())
    if not path.exists() and path.with_suffix(".npy").exists():
        return _read_npy(path.with_suffix(".npy"), columns)
    values, lines = _read_integers(path)
    counts = np.bincount(lines)
    wrong = np.flatnonzero((counts != 0) & (counts != width))
    if wrong.size:
        found = counts[wrong[0]]
        raise InputError(f"{path}:{wrong[0]}: expected {width} columns ({columns}), found {found}")
    return values.reshape(-1, width)


def read_adjacency(path: Path) -> np.ndarray:
    """Reads KGAT's `user item item ...` lines as pairs.

    Returns:
        int64 array [pairs, 2] of (user, item). A line with only a user gives no pair.
    """
    values, lines = _read_integers(path)
    first = np.flatnonzero(np.diff(lines, prepend=0))
    counts = np.diff(np.append(first, values.size))
    users = np.repeat(values[first], counts)
    is_item = np.ones(values.size, bool)
    is_item[first] = False
    return np.stack([users[is_item], values[is_item]], axis=1)


def read_names(path: Path) -> dict[int, str] | None:
    """Reads `org_id remap_id` lines, below a header, into names by remap_id; None where the file is absent.

    Raises:
        InputError: the file is not UTF-8, has no header, a line is malformed, or a remap_id is far beyond the lines.
    """
    if not path.exists():
        return None
    names: dict[int, str] = {}
    header, *lines = _read_text(path).split("\n")
    titles = header.split()
    if titles and titles[-1].isdecimal():
        raise InputError(f"{path}:1: expected a header such as 'org_id remap_id', found {header.strip()!r}")
    # KGAT's lists may have further columns. Names may hold blanks in lists without.
    column = titles.index("remap_id") if "remap_id" in titles and len(titles) > 2 else None
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        words = line.split()
        if column is None:
            name, _, index = line.strip().replace("\t", " ").rpartition(" ")
        else:
            name, index = words[0], words[column] if len(words) > column else ""
        if not name or not (index.isascii() and index.isdecimal()):
            raise InputError(f"{path}:{number}: expected 'org_id remap_id', found {line.strip()!r}")
        if is_far_beyond(int(index), len(lines)):
            raise InputError(f"{path}:{number}: id {index} is far beyond the {len(lines)} lines of the list")
        names[int(index)] = name
    return names


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0" in content[:200]:
        raise InputError(f"{path}: not UTF-8; convert it, for instance by iconv -f utf-16 -t utf-8")
    try:
        # Only these end a line: names may hold other characters that Unicode counts as line ends.
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        place = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{place}: not UTF-8; convert it, for instance by iconv -f latin1 -t utf-8") from error


def _read_integers(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns the integers of a text file and the 1-based line of each."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    if b"\n" not in content:  # Line ends of old Macs.
        content = content.replace(b"\r", b"\n")
    text = np.frombuffer(content, np.uint8)
    is_newline = text == ord("\n")
    is_digit = (text >= ord("0")) & (text <= ord("9"))
    allowed = is_digit | is_newline | (text == ord(" ")) | (text == ord("\t")) | (text == ord("\r"))
    if not allowed.all():
        position = int(np.argmin(allowed))
        number = int(is_newline[:position].sum()) + 1
        line = text.tobytes().split(b"\n")[number - 1].decode("utf-8", "replace").strip()
        raise InputError(f"{path}:{number}: expected non-negative integers, found {line[:80]!r}")
    edges = np.diff(is_digit.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    lines = np.cumsum(is_newline)[starts] + 1 if starts.size else np.zeros(0, np.int64)
    if not starts.size:
        return np.zeros(0, np.int64), lines
    width = ends - starts
    if width.max() > 18:
        raise InputError(f"{path}:{lines[np.argmax(width)]}: an id has more than 18 digits")
    exponent = np.repeat(ends, width) - 1 - np.flatnonzero(is_digit)
    values = np.add.reduceat((text[is_digit] - ord("0")).astype(np.int64) * 10**exponent, np.cumsum(width) - width)
    if values.max() > _LARGEST_ID:
        line = lines[np.argmax(values)]
        raise InputError(f"{path}:{line}: id {values.max()} is out of range (at most {_LARGEST_ID})")
    return values, lines


def _read_npy(path: Path, columns: str) -> np.ndarray:
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(table, np.ndarray):
            raise ValueError("an archive of several")
    except OSError:
        raise
    except Exception as error:  # NumPy parses the header as Python: many types of error.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise InputError(f"{path}: not a whole .npy file of numbers: {reason}") from error
    width = len(columns.split())
    if table.ndim != 2 or table.shape[1] != width or not np.issubdtype(table.dtype, np.integer):
        raise InputError(
            f"{path}: expected integers of shape [rows, {width}] ({columns}), found {table.dtype} {list(table.shape)}"
        )
    bad = ((table < 0) | (table > _LARGEST_ID)).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(f"{path}: row {row}: id out of range in {table[row].tolist()}")
    return table.astype(np.int64)
