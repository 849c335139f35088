"""Small tables in several forms, and what can be wrong with a file."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

_INTERACTIONS = [(f"u{u}", f"i{(u * j) % 17}", (u + j) % 5 + 1, 1000 + u * j) for u in range(12) for j in range(1, 9)]
_ITEMS = [(f"i{i}", f"Title {i}", f"genre {i % 3}", 1990 + i % 4) for i in range(17)]
_TRIPLES = [(f"i{i}", "made_by", f"person {i % 5}") for i in range(17)]
# Users, items and entities as numbers, for the layouts of RippleNet and KGAT.
_PAIRS = sorted({(u, (u * j) % 17) for u in range(12) for j in range(1, 9)})
_LINKS = [(i, i % 2, 17 + i % 5) for i in range(17)]

TOKENS = (
    *("", "nan", "inf", "-1", "1e9", "1000000000", "1.5", "99999999999999999999", "\x00", "\x1b[31mred", "é", "\u2028"),
    *("漢字", "$x$", '"', "a,b", "🙂", " ", "-", "None", "true", "0", "u1", "i1", "x" * 300, "1 2 3", "\\", "'", "%s"),
)


def _table(header: tuple[str, ...], rows: list[tuple], separator: str) -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in [header, *rows])


def _json_lines(header: tuple[str, ...], rows: list[tuple], _: str) -> str:
    return "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)


def _kgat(part: int) -> str:
    users = sorted({user for user, _ in _PAIRS})
    rows = {user: [item for k, (u, item) in enumerate(_PAIRS) if u == user and (k % 4 == 0) == part] for user in users}
    return "".join(" ".join(map(str, [user, *items])) + "\n" for user, items in rows.items())


@dataclasses.dataclass(frozen=True)
class Form:
    """A form that the same content can take: its files, and the arguments of `hkjax train` for them."""

    files: dict[str, str]
    args: tuple[str, ...]


def _as_tables(suffix: str, write: Callable[..., str], separator: str) -> Form:
    files = {
        f"ratings.{suffix}": write(("user", "item", "rating", "time"), _INTERACTIONS, separator),
        f"items.{suffix}": write(("item", "title", "genre", "year"), _ITEMS, separator),
        f"graph.{suffix}": write(("head", "relation", "tail"), _TRIPLES, separator),
    }
    names = dict(zip(("interactions", "items", "triples"), files, strict=True))
    return Form(files, tuple(f"--{flag}={name}" for flag, name in names.items()))


def _as_layout(layout: str, files: dict[str, str]) -> Form:
    return Form(files, (f"--config.data.format={layout}", "--config.data.path=."))


_GRAPH = "".join(f"{h} {r} {t}\n" for h, r, t in _LINKS)
FORMS = {
    "csv": _as_tables("csv", _table, ","),
    "tsv": _as_tables("tsv", _table, "\t"),
    "jsonl": _as_tables("jsonl", _json_lines, ""),
    "ripplenet": _as_layout(
        "ripplenet",
        {
            "ratings_final.txt": "".join(f"{u}\t{i}\t{(u + i) % 2}\n" for u, i in _PAIRS),
            "kg_final.txt": _GRAPH,
            "item_list.txt": "org_id remap_id\n" + "".join(f"item_{i} {i}\n" for i in range(17)),
        },
    ),
    "kgat": _as_layout("kgat", {"train.txt": _kgat(0), "test.txt": _kgat(1), "kg_final.txt": _GRAPH}),
}


def write_tables(folder: Path, form: str = "csv") -> dict[str, str]:
    """Writes the files of a form; returns the tables' names by role."""
    for name, text in FORMS[form].files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {arg.partition("=")[0].removeprefix("--"): arg.partition("=")[2] for arg in FORMS[form].args}


@dataclasses.dataclass(frozen=True)
class Flaw:
    """One thing that is wrong with a file.

    Attributes:
        kind: what.
        place: where, as a part of the file.
        token: what stands there instead.
    """

    kind: str
    place: float
    token: str = ""


LINES = ("cell", "line", "deleted line", "doubled line", "torn", "no header", "swapped lines")
BYTES = ("flipped bit", "empty", "deleted", "latin-1", "utf-16", "zeros", "random bytes", "a folder")
HARMLESS = ("no last newline", "windows line ends", "byte order mark")


def flaws(kinds: tuple[str, ...]) -> st.SearchStrategy[Flaw]:
    places = st.integers(0, 999).map(lambda n: n / 1000)
    return st.builds(Flaw, st.sampled_from(kinds), places, st.sampled_from(TOKENS))


def apply(flaw: Flaw, path: Path) -> None:
    """Does it to a file."""
    content, kind = path.read_bytes(), flaw.kind
    if kind == "deleted":
        path.unlink()
    elif kind == "a folder":
        path.unlink()
        path.mkdir()
    elif kind in LINES:
        path.write_text(_with_other_lines(flaw, content.decode("utf-8")), encoding="utf-8", newline="")
    else:
        path.write_bytes(_with_other_bytes(flaw, content))


def _with_other_lines(flaw: Flaw, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    k = int(flaw.place * len(lines))
    if flaw.kind == "cell":
        separator = next((s for s in (",", "\t", " ") if s in lines[k]), ",")
        cells = lines[k].rstrip("\n").split(separator)
        cells[int(flaw.place * 1000) % len(cells)] = flaw.token
        lines[k] = separator.join(cells) + "\n"
    elif flaw.kind == "line":
        lines.insert(k, flaw.token + "\n")
    elif flaw.kind == "deleted line":
        del lines[k]
    elif flaw.kind == "doubled line":
        lines.insert(k, lines[k])
    elif flaw.kind == "no header":
        del lines[0]
    elif flaw.kind == "swapped lines":
        lines[0], lines[k] = lines[k], lines[0]
    else:
        return text[: int(flaw.place * len(text))]
    return "".join(lines)


def _with_other_bytes(flaw: Flaw, content: bytes) -> bytes:
    k = int(flaw.place * len(content))
    if flaw.kind == "flipped bit":
        return content[:k] + bytes(c ^ (1 << k % 8) for c in content[k : k + 1]) + content[k + 1 :]
    if flaw.kind == "truncated":
        return content[:k]
    if flaw.kind == "zeros":
        return content[:k] + b"\0" * min(64, len(content) - k) + content[k + 64 :]
    text = content.decode("utf-8", errors="replace")
    return {
        "empty": b"",
        "random bytes": bytes((i * i * 31 + k) % 256 for i in range(len(content))),
        "latin-1": (text + "é").encode("latin-1", errors="replace"),
        "utf-16": text.encode("utf-16"),
        "windows line ends": content.replace(b"\n", b"\r\n"),
        "mac line ends": content.replace(b"\n", b"\r"),
        "byte order mark": b"\xef\xbb\xbf" + content,
        "no last newline": content.rstrip(b"\n"),
        "garbage at the end": content + b"\x00\xffgarbage",
    }[flaw.kind]
