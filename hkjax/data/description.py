"""Description of a data set: its counts, and its problems for a recommender."""

from typing import NamedTuple

import numpy as np

from hkjax.data.dataset import Dataset

QUANTILES = (0, 0.25, 0.5, 0.75, 1)


class Relation(NamedTuple):
    """One relation of the graph, from the items' side.

    Attributes:
        name: its name; `~` in front if items are its tails.
        items: count of items that have it.
        values: count of their different values.
        single: count of the values that only one item has.
    """

    name: str
    items: int
    values: int
    single: int


class Description(NamedTuple):
    """Counts and problems of a data set.

    Attributes:
        rows: counts by name.
        density: share of positives among all pairs of users and items.
        histories, audiences: quantiles (see `QUANTILES`) of the count of positives per user and per item.
        relations: those that items have, the most common first.
        problems: one sentence each.
    """

    rows: dict[str, int]
    density: float
    histories: np.ndarray
    audiences: np.ndarray
    relations: list[Relation]
    problems: list[str]


def describe(data: Dataset) -> Description:
    """Counts a data set's rows and looks for problems."""
    met, positives = data.seen(), [getattr(data, part).positives() for part in ("train", "validation", "test")]
    n_positives = sum(len(part.users) for part in positives)
    of_user = sum(np.bincount(part.users, minlength=data.n_users) for part in positives)
    of_item = sum(np.bincount(part.items, minlength=data.n_items) for part in positives)
    relations = _relations(data)
    rows = {
        "users": data.n_users,
        "items": data.n_items,
        "interactions": len(met.users),
        "positives": n_positives,
        "disliked": len(met.users) - n_positives,
        "other entities": data.n_entities - data.n_items,
        "triples": len(data.triples),
    }
    return Description(
        rows,
        n_positives / (data.n_users * data.n_items),
        np.quantile(of_user, QUANTILES),
        np.quantile(of_item, QUANTILES),
        relations,
        [*data.warnings, *_problems(data, np.asarray(of_user), relations)],
    )


def _relations(data: Dataset) -> list[Relation]:
    head, relation, tail = data.triples.T
    found = []
    for prefix, item, value in (("", head, tail), ("~", tail, head)):
        is_item = item < data.n_items
        for index in np.unique(relation[is_item]):
            rows = is_item & (relation == index)
            counts = np.bincount(value[rows], minlength=1)
            name = prefix + data.names.relations[index]
            found.append(Relation(name, len(np.unique(item[rows])), int((counts > 0).sum()), int((counts == 1).sum())))
    return sorted(found, key=lambda x: -x.items)


def _problems(data: Dataset, of_user: np.ndarray, relations: list[Relation]) -> list[str]:
    with_knowledge = np.unique(data.triples[:, [0, 2]])
    without = data.n_items - int((with_knowledge < data.n_items).sum())
    trained = np.unique(data.train.positives().items)
    test = data.test.positives()
    untrained = ~np.isin(test.items, trained)
    n_test = len(test.users)
    checks = [
        (not len(data.triples), "there is no knowledge: models of knowledge graphs need some"),
        (without and len(data.triples), f"{without:,} of {data.n_items:,} items have no knowledge"),
        (untrained.any(), f"{untrained.sum():,} of {n_test:,} test rows are of items that train never has"),
        ((of_user == 1).any(), f"{(of_user == 1).sum():,} users have one positive: nothing to learn and to test from"),
        ((of_user == 0).any(), f"{(of_user == 0).sum():,} users have no positive"),
    ]
    problems = [sentence for holds, sentence in checks if holds]
    for relation in relations:
        if relation.items == 1:
            problems.append(f"{relation.name}: only one item has it")
        elif relation.values == 1:
            problems.append(f"{relation.name}: all its items have one and the same value, which carries no information")
        elif relation.single == relation.values:
            problems.append(f"{relation.name}: no two items share a value, which carries no information")
    return problems
