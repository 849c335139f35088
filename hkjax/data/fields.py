"""Attribute fields: named groups of relations that describe an item."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hkjax.errors import InputError, nearest


class AttributeFields(NamedTuple):
    """The values of every item in every field.

    The model's entity table holds the items first (row i is item i), then only the entities that are
    the value of some field. `entities` maps its rows back to the data set's entity ids.

    Attributes:
        names: names of the n fields.
        item: int32 [values], ascending.
        field: int32 [values], ascending within an item.
        value: int32 [values], row of the entity table.
        entities: int64 [rows of the entity table], entity id of each row.
    """

    names: tuple[str, ...]
    item: np.ndarray
    field: np.ndarray
    value: np.ndarray
    entities: np.ndarray


def attribute_fields(
    triples: np.ndarray,
    n_items: int,
    spec: Mapping[str, Sequence[int | str]],
    relation_names: Sequence[str],
) -> AttributeFields:
    """Gathers the fields' values from the triples.

    Args:
        triples: int [triples, 3] of (head, relation, tail); item i is entity i.
        n_items: number of items.
        spec: for each field its relations, by id or by name. `~r` (Python's complement, so -r - 1)
            or `"~name"` is the inverse relation: the item is then the tail and the value the head.
        relation_names: the name of each relation id.

    Returns:
        The values; one (item, field, value) is kept once, even if several triples state it.

    Raises:
        InputError: no field, a field without relations, or an unknown relation.
    """
    if not spec:
        raise InputError("data.fields: name at least one field, e.g. {'author': (1, ~0)}")
    parts = []
    for index, (name, relations) in enumerate(spec.items()):
        if isinstance(relations, (str, int)) or not len(relations):
            raise InputError(f"data.fields.{name}: expected a list of relations, found {relations!r}")
        for relation in relations:
            number, inverse = _resolve(name, relation, relation_names)
            rows = triples[triples[:, 1] == number]
            item, value = (rows[:, 2], rows[:, 0]) if inverse else (rows[:, 0], rows[:, 2])
            kept = item < n_items
            parts.append(np.stack([item[kept], np.full(kept.sum(), index), value[kept]], axis=1))
    table = np.unique(np.concatenate(parts), axis=0)
    attributes = np.unique(table[table[:, 2] >= n_items, 2])
    entities = np.concatenate([np.arange(n_items), attributes])
    value = np.searchsorted(entities, table[:, 2])
    item, field = table[:, 0].astype(np.int32), table[:, 1].astype(np.int32)
    return AttributeFields(tuple(spec), item, field, value.astype(np.int32), entities)


def _resolve(field: str, relation: int | str, names: Sequence[str]) -> tuple[int, bool]:
    """Returns the relation's id, and True for its inverse."""
    if isinstance(relation, str):
        inverse, name = relation.startswith("~"), relation.removeprefix("~")
        if name not in names:
            raise InputError(f"data.fields.{field}: unknown relation {name!r}{nearest(name, names)}")
        return list(names).index(name), inverse
    if isinstance(relation, bool) or not isinstance(relation, int | np.integer):
        raise InputError(f"data.fields.{field}: expected a relation's name or number, found {relation!r}")
    if not names:
        raise InputError(f"data.fields.{field}: the graph has no relations")
    inverse, number = relation < 0, ~relation if relation < 0 else relation
    if number >= len(names):
        raise InputError(
            f"data.fields.{field}: unknown relation {number}; the graph has relations 0 to {len(names) - 1}"
        )
    return number, inverse


def field_of_relation(spec: Mapping[str, Sequence[int | str]], relation_names: Sequence[str]) -> np.ndarray:
    """Returns the field of every relation, then of every inverse relation: int32 [2 * relations]; -1 for none."""
    fields = np.full(2 * len(relation_names), -1, np.int32)
    for index, (name, relations) in enumerate(spec.items()):
        for relation in relations:
            number, inverse = _resolve(name, relation, relation_names)
            fields[number + inverse * len(relation_names)] = index
    return fields
