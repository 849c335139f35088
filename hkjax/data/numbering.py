"""Numbering: from the sources' own ids to rows and triples of indices."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkjax.data.checks import check_knowledge, ids_shared_with_items, placeholder_ids, spellings
from hkjax.data.config import DataConfig
from hkjax.data.dataset import Names
from hkjax.data.rows import Rows
from hkjax.data.sources import vocabulary
from hkjax.data.sources.content import Content, Events, IdNames
from hkjax.data.sources.triples import readable
from hkjax.errors import InputError


class Numbered(NamedTuple):
    """Interactions and knowledge by indices, before they are labelled and split.

    Attributes:
        rows: to be split.
        given: the parts that are given separately, by name.
        triples: int [triples, 3].
        names: the name of every index.
        fields: the attribute fields.
        source: name of the rows' source, for messages.
        rates: ratings are opinions or labels, not counts.
        dislikes: a row of label 0 is an item that the user disliked; otherwise it is a drawn negative.
        warnings: remarks so far.
    """

    rows: Rows
    given: Mapping[str, Rows]
    triples: np.ndarray
    names: Names
    fields: Mapping[str, tuple[int | str, ...]]
    source: str = "data"
    rates: bool = True
    dislikes: bool = False
    warnings: tuple[str, ...] = ()


class _Ids(NamedTuple):
    """The ids of a data set in the order of their indices; values of attributes are further entities after these."""

    users: pa.Array
    items: pa.Array
    entities: pa.Array
    relations: pa.Array


def number(content: Content, config: DataConfig) -> Numbered:
    """Numbers all ids, items before other entities.

    Raises:
        InputError: there is no interaction, or the knowledge shares no id with the items.
    """
    if not len(content.interactions.user.indices):
        raise InputError(f"{content.interactions.name}: no interactions")
    check_knowledge(content)
    ids = _collect_ids(content)
    triples, values = _number_knowledge(content, ids)
    names = _name_all(content, ids, values)

    def rows(events: Events) -> Rows:
        user, item = vocabulary.number(events.user, ids.users), vocabulary.number(events.item, ids.items)
        return Rows(user, item, events.rating, events.time)

    parts = {"validation": content.validation, "test": content.test}
    return Numbered(
        rows=rows(content.interactions),
        given={name: rows(part) for name, part in parts.items() if part is not None},
        triples=triples,
        names=names,
        fields=config.fields or {attribute.field: (attribute.field,) for attribute in content.attributes},
        source=content.interactions.name,
        rates=content.rates,
        dislikes=not content.draws_negatives,
        warnings=(
            *content.warnings,
            *spellings(ids.users, "user"),
            *spellings(ids.items, "item"),
            *placeholder_ids(content.interactions.user, "user"),
            *placeholder_ids(content.interactions.item, "item"),
            *ids_shared_with_items(triples, len(ids.items), names),
        ),
    )


def _collect_ids(content: Content) -> _Ids:
    every = [part for part in (content.interactions, content.validation, content.test) if part is not None]
    users = vocabulary.union([part.user.values for part in every])
    items = vocabulary.union([*(part.item.values for part in every), content.catalogue])
    further = vocabulary.union([x for fact in content.facts for x in (fact.head.values, fact.tail.values)], items)
    fields = pa.array([attribute.field for attribute in content.attributes], pa.string())
    relations = vocabulary.union([fact.relation.values for fact in content.facts], fields)
    return _Ids(users, items, pa.concat_arrays([items, further]), pa.concat_arrays([relations, fields]))


def _number_knowledge(content: Content, ids: _Ids) -> tuple[np.ndarray, list[pa.Array]]:
    """Returns the triples of facts and attributes, and the values of each attribute field."""
    ends = (ids.entities, ids.relations, ids.entities)
    triples = [np.zeros((0, 3), np.int64)]
    for fact in content.facts:
        triples.append(np.column_stack([vocabulary.number(*column) for column in zip(fact, ends, strict=True)]))
    values: list[pa.Array] = []
    n_entities, first_field = len(ids.entities), len(ids.relations) - len(content.attributes)
    for relation, attribute in enumerate(content.attributes, start=first_field):
        known = vocabulary.union([attribute.value.values])
        head, value = vocabulary.number(attribute.item, ids.items), vocabulary.number(attribute.value, known)
        triples.append(np.column_stack([head, np.full(len(head), relation), value + n_entities]))
        values.append(known)
        n_entities += len(known)
    return np.concatenate(triples), values


def _name_all(content: Content, ids: _Ids, values: list[pa.Array]) -> Names:
    named, fields = content.names, [attribute.field for attribute in content.attributes]
    items = _name(ids.items, named.get("item"))
    further = ids.entities[len(ids.items) :].to_pylist()
    entities = _name(ids.entities, named.get("entity"), [*items, *map(readable, further)])
    by_field = [(field, value) for field, known in zip(fields, values, strict=True) for value in known.to_pylist()]
    return Names(
        users=_name(ids.users, named.get("user")),
        items=items,
        entities=[*entities, *(value for _, value in by_field)],
        entity_ids=[*ids.entities.to_pylist(), *(f"{field}={value}" for field, value in by_field)],
        relations=_name(ids.relations, named.get("relation"), list(map(readable, ids.relations.to_pylist()))),
    )


def _name(ids: pa.Array, names: IdNames | None, default: list[str] | None = None) -> list[str]:
    """Returns the names of ids; for those without one the default, or else the id."""
    known = ids.to_pylist() if default is None else default
    if names is None:
        return known
    found = names.names.take(pc.index_in(ids, names.ids)).to_pylist()
    return [name or other for name, other in zip(found, known, strict=True)]
