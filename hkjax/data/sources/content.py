"""What the sources of a data set say, before it is numbered: interactions, facts and names, by their own ids."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from hkjax.data.sources.vocabulary import Column


class Events(NamedTuple):
    """Rows of who met what, in the order of their source.

    Attributes:
        user, item: their ids.
        rating: float64 [rows], what the user thought of the item; None where the source does not say.
        time: int64 [rows], microseconds since 1970; None where the source does not say.
        name: of the source, for messages.
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
    """The values of one attribute field: item[k] has value[k]. Values are no ids: no field shares them with another."""

    field: str
    item: Column
    value: Column


class IdNames(NamedTuple):
    """Names of ids: ids[k] is called names[k]; arrays of strings."""

    ids: pa.Array
    names: pa.Array


class Content(NamedTuple):
    """All that the sources of a data set say.

    Attributes:
        interactions: to be split.
        validation, test: given apart as those parts; None where they are not.
        catalogue: ids of items, beside those that somebody met.
        facts, attributes: the knowledge.
        names: by kind; those of `user` and `item` replace the ids, those of `entity` (items are entities) and
            `relation` say how a person calls them.
        rates: the ratings are opinions or labels; otherwise they are counts or weights, and every row is a positive.
        draws_negatives: rows of label 0 were drawn, and nobody met them.
        warnings: what reading noticed, one sentence each.
        items_name: where the catalogue comes from, for messages.
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
