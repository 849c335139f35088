"""Reading a data set: from the files or data frames of a configuration to a `Dataset`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from hkjax.data.assemble import assemble
from hkjax.data.config import DataConfig, TablesConfig
from hkjax.data.dataset import Dataset
from hkjax.data.sources import layouts
from hkjax.data.sources.attributes import attributes, item_names
from hkjax.data.sources.columns import COUNTS, USUAL_NAMES, find_column, ids, normalize, numbers, require_column, times
from hkjax.data.sources.content import Attributes, Content, Events, IdNames
from hkjax.data.sources.tables import list_files, read_table
from hkjax.data.sources.triples import link_facts, link_items, read_links, read_names, read_triples
from hkjax.data.sources.vocabulary import encode
from hkjax.errors import InputError, nearest

_SOURCES = {field.name for field in dataclasses.fields(TablesConfig)}
_ROLES = {*USUAL_NAMES}


def read_dataset(config: DataConfig, seed: int) -> Dataset:
    """Reads the files of a configuration, and splits them.

    Args:
        config: see `DataConfig`; any format but `synthetic`.
        seed: seed of the split.

    Raises:
        InputError: a missing or broken file, a malformed row, or an empty part; the message names file and row.
    """
    if config.format not in _READERS:
        raise InputError(f"data.format: can't read {config.format!r}; choose one of {', '.join(_READERS)}")
    return assemble(_READERS[config.format](config), config, seed)


def dataset_from_tables(
    interactions: Any,
    items: Any = None,
    triples: Sequence[Any] = (),
    config: DataConfig = DataConfig(format="tables"),  # noqa: B008 (frozen)
    seed: int = 0,
    **sources: Any,
) -> Dataset:
    """Builds a data set from data frames or files.

    Args:
        interactions: interactions of users with items; a source as in `hkjax.data.sources.tables`.
        items: one row per item, or None.
        triples: sources of the knowledge graph.
        config: how to label and split, and which columns to take.
        seed: seed of the split.
        **sources: `links`, `names`, `validation` and `test`, as in `TablesConfig`.

    Raises:
        InputError: a source is missing or malformed.
    """
    given = {"interactions": interactions, "items": items, "triples": triples, **sources}
    return assemble(read_tables(given, config.tables), config, seed)


def source_files(config: DataConfig) -> list[Path]:
    """Lists the existing files that a configuration reads."""
    tables, folder = config.tables, Path(config.path)
    if config.format == "tables":
        single = (tables.interactions, tables.items, tables.links, tables.names, tables.validation, tables.test)
        return [file for source in (*single, *tables.triples) if source for file in list_files(source)]
    if config.format == "synthetic":
        return []
    return [file for name in layouts.FILES if (file := folder / name).is_file()]


def read_tables(sources: Mapping[str, Any], config: TablesConfig) -> Content:
    """Reads the content of tables.

    Args:
        sources: by the names of `TablesConfig`; absent, empty or None for none.
        config: names of columns, and the separator.

    Raises:
        InputError: a source is missing or malformed.
    """
    unknown = {
        **dict.fromkeys(sources.keys() - _SOURCES, _SOURCES),
        **dict.fromkeys(config.columns.keys() - _ROLES, _ROLES),
    }
    for name, known in unknown.items():
        raise InputError(f"unknown source or role {name!r}{nearest(name, known)}; known are {', '.join(sorted(known))}")
    if sources.get("interactions") is None or _is_empty(sources["interactions"]):
        raise InputError("data.tables.interactions: name a table of interactions (--interactions=FILE)")
    interactions, rates = _read_events(sources["interactions"], config, "interactions")
    given = {
        name: _read_events(sources[name], config, name)[0] for name in ("validation", "test") if _has(sources, name)
    }
    catalogue: pa.Array = pa.array([], pa.string())
    fields: list[Attributes] = []
    names: dict[str, IdNames] = {}
    warnings: list[str] = []
    items_name = ""
    if _has(sources, "items"):
        catalogue, fields, names, warnings, items_name = _read_items(sources["items"], config)
    facts, links = [], read_links(sources["links"], config.columns) if _has(sources, "links") else None
    triples = sources.get("triples") or ()
    for source in (triples,) if isinstance(triples, str | Path) else triples:
        fact, named = read_triples(source, config.columns)
        if links is not None:
            fact = link_facts(fact, links)
            named = named and named._replace(ids=link_items(named.ids, links))
        facts.append(fact)
        names = _add(names, named, ("entity",))
    if _has(sources, "names"):
        names = _add(names, read_names(sources["names"]), ("entity", "relation"))
    return Content(
        interactions=interactions,
        catalogue=catalogue,
        facts=tuple(facts),
        attributes=tuple(fields),
        names=names,
        rates=rates,
        warnings=tuple(warnings),
        items_name=items_name,
        validation=given.get("validation"),
        test=given.get("test"),
    )


def _is_empty(source: Any) -> bool:
    return isinstance(source, str) and not source


def _has(sources: Mapping[str, Any], name: str) -> bool:
    source = sources.get(name)
    return source is not None and not _is_empty(source)


def _read_events(source: Any, config: TablesConfig, what: str) -> tuple[Events, bool]:
    """Reads interactions; also returns True if their ratings are opinions or labels."""
    table = read_table(source, config.header, what)
    user, item = (encode(ids(table, require_column(table, role, config.columns))) for role in ("user", "item"))
    if len({*config.columns.values()}) < len(config.columns):
        raise InputError("data.tables.columns: two roles have the same column")
    label = find_column(table, "label", config.columns)
    rating = label or find_column(table, "rating", config.columns)
    time = find_column(table, "time", config.columns)
    return (
        Events(
            user,
            item,
            numbers(table, rating) if rating else None,
            times(table, time) if time else None,
            table.name,
        ),
        rating is not None and ("rating" in config.columns or normalize(rating) not in COUNTS),
    )


def _read_items(
    source: Any, config: TablesConfig
) -> tuple[pa.Array, list[Attributes], dict[str, IdNames], list[str], str]:
    table = read_table(source, what="items")
    id_column = require_column(table, "id", config.columns, also=("item",))
    name_column = find_column(table, "name", config.columns)
    fields, warnings = attributes(table, id_column, name_column, config.separator)
    column = ids(table, id_column)
    known = pa.concat_arrays([pa.array([], pa.string()), *(chunk.cast(pa.string()) for chunk in column.chunks)])
    names = {"entity": IdNames(known, item_names(table, name_column))} if name_column else {}
    return known, fields, names, warnings, table.name


def _add(names: Mapping[str, IdNames], more: IdNames | None, kinds: Sequence[str]) -> dict[str, IdNames]:
    """Adds further names; earlier ones take precedence."""
    merged = dict(names)
    if more is None:
        return merged
    for kind in kinds:
        old = merged.get(kind)
        merged[kind] = more if old is None else IdNames(*map(pa.concat_arrays, zip(old, more, strict=True)))
    return merged


_READERS: Mapping[str, Callable[[DataConfig], Content]] = {
    "tables": lambda config: read_tables(vars(config.tables), config.tables),
    "ripplenet": layouts.read_layout,
    "kgat": layouts.read_layout,
}
