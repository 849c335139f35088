"""Content of a data set's sources before numbering: interactions, facts and names, by their own ids."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hkjax.data.sources.vocabulary import Column


class Events(NamedTuple):
    """Rows of interactions, in the order of their source.

    Attributes:
        user, item: their ids.
        rating: float64 [rows], the user's rating of the item; None where the source has none.
        time: int64 [rows], microseconds since 1970; None where the source has none.
        name: name of the source, for messages.
    """

    user: Column
    item: Column
    rating: np.ndarray | None
    time: np.ndarray | None
    name: str


class Facts(NamedTuple):
    """Triples of a knowledge graph; a head or tail that is an item has the item's id."""

    head: Column
    relation: Column
    tail: Column


class Attributes(NamedTuple):
    """The values of one attribute field: item[k] has value[k]. Values are not ids: fields share none."""

    field: str
    item: Column
    value: Column


class IdNames(NamedTuple):
    """Names of ids: ids[k] has the name names[k]; arrays of strings."""

    ids: pa.Array
    names: pa.Array


class Content(NamedTuple):
    """All content of a data set's sources.

    Attributes:
        interactions: to be split.
        validation, test: given separately as those parts; None where they are not.
        catalogue: ids of items, besides those of the interactions.
        facts, attributes: the knowledge.
        names: by kind. Those of `user` and `item` replace the ids; those of `entity` (items are entities) and
            `relation` are readable names.
        rates: the ratings are opinions or labels; otherwise they are counts or weights, and every row is a positive.
        draws_negatives: rows of label 0 were drawn; they are no interactions.
        warnings: remarks made on reading, one sentence each.
        items_name: source of the catalogue, for messages.
    """

    interactions: Events
    validation: Events | None = None
    test: Events | None = None
    catalogue: pa.Array = pa.array([], pa.string())
    facts: tuple[Facts, ...] = ()
    attributes: tuple[Attributes, ...] = ()
    names: Mapping[str, IdNames] = {}
    rates: bool = True
    draws_negatives: bool = False
    warnings: tuple[str, ...] = ()
    items_name: str = ""
