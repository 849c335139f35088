"""A data set in memory: checked interactions in three parts, and the knowledge graph."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np


class Interactions(NamedTuple):
    """Interactions of users with items, one per row: int32 arrays [rows]; label 1 is a positive, 0 a negative."""

    users: np.ndarray
    items: np.ndarray
    labels: np.ndarray

    def select(self, rows: np.ndarray | slice) -> "Interactions":
        """Returns the given rows (indices or a mask)."""
        return Interactions(*(column[rows] for column in self))

    def positives(self) -> "Interactions":
        """Returns the rows with label 1."""
        return self.select(self.labels == 1)

    def join(self, other: "Interactions") -> "Interactions":
        """Returns these rows followed by the other ones."""
        return Interactions(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def no_interactions() -> Interactions:
    """Returns interactions without a row."""
    return Interactions(*(np.zeros(0, np.int32) for _ in range(3)))


class Parts(NamedTuple):
    """Interactions of the three parts of a data set."""

    train: Interactions
    validation: Interactions
    test: Interactions


class Names(NamedTuple):
    """The data set's own names of all indices.

    Attributes:
        users, items: their ids in the sources.
        entities: readable names, items first; several entities may share one.
        relations: readable names.
        entity_ids: distinct ids of the entities; FIELD=VALUE for values from the items table.
    """

    users: list[str]
    items: list[str]
    entities: list[str]
    relations: list[str]
    entity_ids: list[str]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Data that a recommender is built from. Item i is entity i.

    Attributes:
        n_users, n_items, n_entities, n_relations: sizes.
        train, validation, test: the interactions, disjoint; where the split is `official`, validation is test.
        triples: int64 [triples, 3] of (head, relation, tail), without duplicates.
        names: the data set's own name of every index.
        fields: the relations of each attribute field, as configured.
        warnings: remarks made on reading, one sentence each, such as dropped duplicates.
        true_field: int [users], index of the field that each user prefers; None if unknown.
        disliked: by part, the rows that users rated below the threshold, label 0. They are not positives, and negatives
            only if `data.negatives` is `given`. Their items are not recommended.
    """

    n_users: int
    n_items: int
    n_entities: int
    n_relations: int
    train: Interactions
    validation: Interactions
    test: Interactions
    triples: np.ndarray
    names: Names
    fields: Mapping[str, tuple[int | str, ...]]
    warnings: tuple[str, ...] = ()
    true_field: np.ndarray | None = None
    disliked: Parts = dataclasses.field(default_factory=lambda: Parts(*(no_interactions() for _ in range(3))))

    def seen(self, *parts: Literal["train", "validation", "test"]) -> Interactions:
        """Returns the interactions of the named parts (default: all), liked or not, without drawn negatives."""
        rows = no_interactions()
        for part in parts or ("train", "validation", "test"):
            rows = rows.join(getattr(self, part).positives()).join(getattr(self.disliked, part))
        return rows

    @property
    def validates_on_test(self) -> bool:
        """True if the validation part is the test part."""
        return all(map(np.array_equal, self.validation, self.test))


def fingerprint(data: Dataset) -> str:
    """Hashes interactions, split, triples, names and fields; a run recognises its data by this hash."""
    digest = hashlib.sha256()
    # Without dislikes the hash equals that of versions before they existed.
    disliked = [column for part in data.disliked if any(len(x.users) for x in data.disliked) for column in part]
    for array in (*data.train, *data.validation, *data.test, data.triples, *disliked):
        digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(str(array.shape).encode())
    sizes = (data.n_users, data.n_items, data.n_entities, data.n_relations)
    digest.update(repr((sizes, tuple(data.names[:4]), sorted(data.fields.items()))).encode())
    return digest.hexdigest()[:16]


def continue_split(data: Dataset, earlier: Dataset) -> Dataset:
    """Moves to train the positives of an earlier data set's train part, so that none of them is tested on.

    Args:
        data: the new data set; its rows of label 0 stay where they are.
        earlier: the earlier data set; users and items are matched by id.
    """
    users, items = ({name: k for k, name in enumerate(names)} for names in (data.names.users, data.names.items))
    old = earlier.train.positives()
    user = np.array([users.get(name, -1) for name in earlier.names.users], np.int64)[old.users]
    item = np.array([items.get(name, -1) for name in earlier.names.items], np.int64)[old.items]
    trained = (user * data.n_items + item)[(user >= 0) & (item >= 0)]

    def was_trained(rows: Interactions) -> np.ndarray:
        return (rows.labels == 1) & np.isin(rows.users.astype(np.int64) * data.n_items + rows.items, trained)

    lost = [name for name in earlier.names.users if name not in users]
    warnings = list(data.warnings)
    if lost:
        warnings.append(
            f"{len(lost)} of the earlier run's {earlier.n_users} users are not in these data and are forgotten, e.g. "
            f"{lost[0]!r}; give old and new rows together (--interactions=OLD,NEW)"
        )
    new_users, new_items = data.n_users - earlier.n_users + len(lost), len(items.keys() - {*earlier.names.items})
    warnings.append(f"{new_users} users and {new_items} items are new since the earlier run")
    moved = {name: was_trained(getattr(data, name)) for name in ("validation", "test")}
    train = data.train.join(data.validation.select(moved["validation"]))
    if not data.validates_on_test:
        train = train.join(data.test.select(moved["test"]))
    validation, test = (getattr(data, name).select(~was) for name, was in moved.items())
    return dataclasses.replace(data, train=train, validation=validation, test=test, warnings=tuple(warnings))


def join_validation(data: Dataset) -> Dataset:
    """Moves the validation part to train: a final model learns from both, once its settings are chosen."""
    none = no_interactions()
    train, disliked = data.train.join(data.validation), data.disliked
    disliked = disliked._replace(train=disliked.train.join(disliked.validation), validation=none)
    return dataclasses.replace(data, train=train, validation=none, disliked=disliked)


def take_users(data: Dataset, n: int) -> Dataset:
    """Keeps the first n users, their items, and the triples that touch such an item; renumbers all."""
    parts = [part.select(part.users < n) for part in (data.train, data.validation, data.test, *data.disliked)]
    items = np.unique(np.concatenate([part.items for part in parts]))
    triples = data.triples[np.isin(data.triples[:, [0, 2]], items).any(axis=1)]
    others = np.setdiff1d(triples[:, [0, 2]], np.arange(data.n_items))
    further = np.setdiff1d(triples[:, [0, 2]], np.concatenate([items, others]))
    order = np.concatenate([items, further, others])
    number = np.full(data.n_entities, -1)
    number[order] = np.arange(len(order))
    triples = np.column_stack([number[triples[:, 0]], triples[:, 1], number[triples[:, 2]]])
    n_items = len(items) + len(further)
    train, validation, test, *disliked = (part._replace(items=number[part.items].astype(np.int32)) for part in parts)
    return dataclasses.replace(
        data,
        n_users=min(n, data.n_users),
        n_items=n_items,
        n_entities=len(order),
        train=train,
        validation=validation,
        test=test,
        triples=triples,
        names=Names(
            data.names.users[:n],
            [data.names.items[i] for i in order[:n_items]],
            [data.names.entities[i] for i in order],
            data.names.relations,
            [data.names.entity_ids[i] for i in order],
        ),
        true_field=None if data.true_field is None else data.true_field[:n],
        disliked=Parts(*disliked),
    )
