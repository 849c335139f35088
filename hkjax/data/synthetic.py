"""A generated data set with a known preferred field and value of each user."""

import dataclasses
import math
from typing import Annotated

import numpy as np

from hkjax.data.assemble import build_dataset
from hkjax.data.config import DataConfig
from hkjax.data.dataset import Dataset
from hkjax.ranges import Checked, Count, Range


@dataclasses.dataclass(frozen=True)
class SyntheticConfig(Checked):
    """The sizes and strengths of a generated data set.

    Attributes:
        n_users, n_items: sizes.
        n_fields: attribute fields, each a relation of the graph.
        n_values: values in each field.
        positives: mean number of positive items per user.
        zipf: exponent of the items' popularity: the r-th item has weight r^-zipf.
        preference: log-odds that the user's preferred value adds to an item.
        coverage: the fraction of (item, field) pairs that have a value.
        branching: values per parent in the taxonomy over each field's values.
    """

    n_users: Count = 2000
    n_items: Annotated[int, Range(low=2)] = 300
    n_fields: Count = 4
    n_values: Count = 6
    positives: Annotated[float, Range(above=0, high=1e9)] = 30.0
    zipf: Annotated[float, Range(above=-math.inf, below=math.inf)] = 0.6
    preference: Annotated[float, Range(above=-math.inf, below=math.inf)] = 3.0
    coverage: Annotated[float, Range(low=0, high=1)] = 0.9
    branching: Annotated[int, Range(low=2)] = 4


def synthetic_dataset(sizes: SyntheticConfig, config: DataConfig, seed: int) -> Dataset:
    """Generates interactions and a graph.

    Every user prefers one value of one field. Positive items are drawn by popularity times
    exp(preference * [the item has that value]). As in RippleNet's data, each positive item comes with
    one negative row: an item drawn uniformly from those that are not positive for the user. Relation j
    links items to their values of field j. Relation n_fields + j links values of field j to their
    parents in a taxonomy, level by level up to one root.

    Args:
        sizes: see `SyntheticConfig`.
        config: how to split; its fields default to one per relation.
        seed: seed of all draws.

    Returns:
        A data set; its `true_field` holds each user's preferred field.
    """
    random = np.random.default_rng(seed)
    n_users, n_items, n_fields = sizes.n_users, sizes.n_items, sizes.n_fields
    item_value = random.integers(sizes.n_values, size=(n_items, n_fields))
    item_value[random.random((n_items, n_fields)) > sizes.coverage] = -1
    field = random.integers(n_fields, size=n_users)
    value = random.integers(sizes.n_values, size=n_users)

    popularity = -sizes.zipf * np.log1p(random.permutation(n_items))
    match = value[:, None] == item_value[:, field].T
    # Gumbel's trick: the k largest perturbed scores are k draws without replacement.
    utility = popularity + sizes.preference * match + random.gumbel(size=(n_users, n_items))
    rank = np.argsort(np.argsort(-utility, axis=1), axis=1)
    n_positives = np.clip(random.poisson(sizes.positives, n_users), 1, n_items // 2)
    positive = rank < n_positives[:, None]
    noise = np.where(positive, np.inf, random.random((n_users, n_items)))
    negative = np.argsort(np.argsort(noise, axis=1), axis=1) < n_positives[:, None]
    rows = np.concatenate(
        [
            np.column_stack([*np.nonzero(chosen), np.full(chosen.sum(), label)])
            for chosen, label in ((positive, 1), (negative, 0))
        ]
    )

    triples, next_entity = [], n_items
    for j in range(n_fields):
        items = np.flatnonzero(item_value[:, j] >= 0)
        triples.append(np.column_stack([items, np.full(items.size, j), next_entity + item_value[items, j]]))
        links, next_entity = _taxonomy(sizes.n_values, sizes.branching, n_fields + j, next_entity)
        triples.append(links)
    fields = config.fields or {f"field_{j}": (j,) for j in range(n_fields)}
    config = dataclasses.replace(config, fields=fields)
    data = build_dataset(rows, np.zeros((0, 3), np.int64), np.concatenate(triples), config, seed)
    return dataclasses.replace(data, true_field=field)


def _taxonomy(n_leaves: int, branching: int, relation: int, first: int) -> tuple[np.ndarray, int]:
    """Links `n_leaves` entities from id `first` on to parents, level by level up to one root.

    Returns:
        The triples, and the first entity id that is still free.
    """
    links, level = [np.zeros((0, 3), np.int64)], np.arange(first, first + n_leaves)
    while level.size > 1:
        parents = level[-1] + 1 + np.arange(level.size) // branching
        links.append(np.column_stack([level, np.full(level.size, relation), parents]))
        level = np.unique(parents)
    return np.concatenate(links), int(level[-1]) + 1
