"""Reading knowledge as triples: tables of (head, relation, tail), RecBole's .kg and .link, and N-Triples."""

import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from hkjax.data.sources.columns import find_column, ids, normalize, require_column
from hkjax.data.sources.content import Facts, IdNames
from hkjax.data.sources.formats import suffix_of
from hkjax.data.sources.tables import Part, Table, list_files, read_table
from hkjax.data.sources.vocabulary import Column, encode
from hkjax.errors import InputError

# RDF 1.1 N-Triples: subject, predicate, object, a dot, maybe a comment.
_N_TRIPLE = (
    r"^\s*(?P<head><[^<>\"{}|^`\x00-\x20]*>|_:\S+)\s*(?P<relation><[^<>\"{}|^`\x00-\x20]*>)"
    r"\s*(?P<tail><[^<>\"{}|^`\x00-\x20]*>|_:\S+|\"(?:[^\"\\]|\\.)*\"(?:@[A-Za-z0-9-]+|\^\^<[^<>]*>)?)\s*\.\s*(?:#.*)?$"
)
_ROLES = ("head", "relation", "tail")
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}
# Relations that name their head, by the last part of their IRI.
_NAMING = {"label", "preflabel", "name"}


def read_triples(source: Any, columns: Mapping[str, str] = {}) -> tuple[Facts, IdNames | None]:
    """Reads a source of triples.

    Args:
        source: a table with columns of heads, relations and tails, or N-Triples (.nt); see `hkjax.data.sources.tables`.
        columns: columns by role, as configured.

    Returns:
        The triples; and the names from label triples (rdfs:label and the like), which are no facts.

    Raises:
        InputError: a row is no triple.
    """
    is_path = isinstance(source, str | Path)
    files = list_files(source) if is_path else []
    if files and all(suffix_of(file) == ".nt" for file in files):
        table = _read_n_triples(files)
    else:
        table = read_table(source, what="triples", default_header=_ROLES)
    head, relation, tail = (ids(table, require_column(table, role, columns)) for role in _ROLES)
    relations = encode(relation)
    naming = np.array([_is_naming(name) for name in relations.values.to_pylist()], bool)
    if not naming.any():
        return Facts(encode(head), relations, encode(tail)), None
    names = pa.array(naming[relations.indices])
    facts = pc.invert(names)
    named = IdNames(_whole(head.filter(names)), _whole(tail.filter(names)))
    return Facts(*(encode(column.filter(facts)) for column in (head, relation, tail))), named


def read_links(source: Any, columns: Mapping[str, str] = {}) -> IdNames:
    """Reads a table of (item, entity) that maps items to entities of a graph, such as RecBole's .link.

    Returns:
        The item of each entity, as its name.
    """
    table = read_table(source, what="links")
    item, entity = (encode(ids(table, require_column(table, role, columns))) for role in ("item", "entity"))
    if len(entity.values) < len(entity.indices):
        doubled = entity.values[int(np.argmax(np.bincount(entity.indices) > 1))].as_py()
        raise InputError(f"{table.name}: entity {doubled!r} is linked to more than one item")
    return IdNames(entity.values.take(pa.array(entity.indices)), item.values.take(pa.array(item.indices)))


def link_items(ids: pa.Array, links: IdNames) -> pa.Array:
    """Replaces the ids of linked entities by their items' ids."""
    return pc.coalesce(links.names.take(pc.index_in(ids, links.ids)), ids)


def link_facts(facts: Facts, links: IdNames) -> Facts:
    """Replaces the linked entities of triples by their items."""

    def link(column: Column) -> Column:
        linked = encode(link_items(column.values, links))
        return Column(linked.values, linked.indices[column.indices])

    return facts._replace(head=link(facts.head), tail=link(facts.tail))


def read_names(source: Any) -> IdNames:
    """Reads a table of (id, name): its columns of these names, or its first two."""
    table = read_table(source, what="names")
    columns = table.data.column_names
    if any(name.isdecimal() for name in columns):
        raise InputError(f"{table.name}: expected a header such as id,name; found {', '.join(columns)}")
    if len(columns) < 2:
        raise InputError(f"{table.name}: expected two columns, id and name; found {', '.join(columns)}")
    key = find_column(table, "id", also=("item", "relation"))
    name = find_column(table, "name")
    if key is None or name is None:
        if len(columns) > 2:
            raise InputError(f"{table.name}: expected the columns id and name; found {', '.join(columns)}")
        key, name = columns[0], columns[1]
    return IdNames(_whole(ids(table, key).cast(pa.string())), _whole(ids(table, name).cast(pa.string())))


def readable(identifier: str) -> str:
    """Returns an id in readable form: of an IRI its last part, anything else unchanged."""
    if "://" not in identifier:
        return identifier
    last = identifier.rstrip("/#").replace("#", "/").rpartition("/")[2]
    return urllib.parse.unquote(last).replace("_", " ")


def _is_naming(relation: str) -> bool:
    return "://" in relation and normalize(relation.replace("#", "/").rpartition("/")[2]) in _NAMING


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return pa.concat_arrays([pa.array([], pa.string()), *(chunk.cast(pa.string()) for chunk in chunks)])


def _read_n_triples(files: list[Path]) -> Table:
    tables, parts, n_rows = [], [], 0
    for file in files:
        lines = _read_lines(file)
        relevant = pc.invert(pc.match_substring_regex(lines, r"^\s*(#.*)?$"))
        found = pc.extract_regex(lines, _N_TRIPLE)
        wrong = pc.and_(relevant, pc.is_null(found))
        if pc.any(wrong).as_py():
            line = pc.index(wrong, True).as_py()
            raise InputError(f"{file}:{line + 1}: expected 'head relation tail .', found {lines[line].as_py()[:60]!r}")
        found = found.filter(relevant)
        columns = {name: _plain_terms(pc.struct_field(found, name)) for name in ("head", "relation", "tail")}
        tables.append(pa.table(columns))
        parts.append(Part(str(file), n_rows, None))
        n_rows += len(found)
    return Table(pa.concat_tables(tables), tuple(parts))


def _read_lines(file: Path) -> pa.ChunkedArray:
    try:
        return pa.csv.read_csv(
            file,
            pa.csv.ReadOptions(column_names=["line"], block_size=1 << 23),
            pa.csv.ParseOptions(delimiter="\x01", quote_char=False, ignore_empty_lines=False),
            pa.csv.ConvertOptions(column_types={"line": pa.string()}),
        ).column("line")
    except (pa.ArrowException, OSError) as error:
        raise InputError(_explain(file, error)) from error


def _explain(file: Path, error: Exception) -> str:
    """Explains why a file of lines can't be read, with the line if it is not UTF-8."""
    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            lines = stream.read().split(b"\n")
    except OSError as broken:
        return f"{file}: truncated or broken: {str(broken).splitlines()[0]}"
    for number, line in enumerate(lines, start=1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return f"{file}:{number}: not UTF-8; convert it, for instance by iconv -f latin1 -t utf-8"
    return f"{file}: can't be read: {str(error).splitlines()[0]}"


def _plain_terms(terms: pa.ChunkedArray) -> pa.ChunkedArray:
    """Strips brackets from IRIs, and quotes, language and type from literals."""
    terms = pc.replace_substring_regex(terms, r"^<(.*)>$", r"\1")
    terms = pc.replace_substring_regex(terms, r'^"((?:[^"\\]|\\.)*)"(?:@[A-Za-z0-9-]+|\^\^<[^<>]*>)?$', r"\1")
    if not pc.any(pc.match_substring(terms, "\\")).as_py():
        return terms
    encoded = terms.dictionary_encode().combine_chunks()
    decoded = pa.array([_unescape(term) for term in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([decoded.take(encoded.indices)])


def _unescape(term: str) -> str:
    """Replaces the escapes of N-Triples: ECHAR and UCHAR."""

    def character(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if code[0] in "uU" else _ESCAPES.get(code, code)

    return re.sub(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", character, term)
