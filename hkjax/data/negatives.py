"""Draws of negatives: for each positive an item that its user never interacted with."""

import dataclasses

import numpy as np

from hkjax.data.dataset import Dataset, Interactions, Parts

_ROUNDS = 64


def draw_negatives(data: Dataset, seed: int) -> Dataset:
    """Adds rows of label 0 to every part, as many as it has positives (Wang et al., RippleNet, CIKM 2018).

    A user's negatives are uniform over the items that the user interacted with in no part, and all different.
    Positives beyond the count of these items get no negative.

    Args:
        data: a data set of only positives.
        seed: equal seeds draw equal items.
    """
    random = np.random.default_rng(seed)
    parts = [data.train, data.validation, data.test]
    if data.validates_on_test:
        parts.pop(1)
    met = data.seen("train", "validation", "test")
    users = np.concatenate([part.users for part in parts]).astype(np.int64)
    items = _draw(users, met.users.astype(np.int64) * data.n_items + met.items, data.n_items, random)
    drawn = []
    for part, chosen in zip(parts, np.split(items, np.cumsum([len(part.users) for part in parts])[:-1]), strict=True):
        found = chosen >= 0
        negatives = Interactions(part.users[found], chosen[found].astype(np.int32), np.zeros(found.sum(), np.int32))
        drawn.append(part.join(negatives))
    if data.validates_on_test:
        drawn.insert(1, drawn[-1])
    named = Parts(*drawn)
    return dataclasses.replace(data, train=named.train, validation=named.validation, test=named.test)


def _draw(users: np.ndarray, met: np.ndarray, n_items: int, random: np.random.Generator) -> np.ndarray:
    """Draws an item per row, outside of `met` (user * n_items + item), different for each row of a user; or -1."""
    items = np.full(len(users), -1)
    taken = np.unique(met)
    open_rows = np.arange(len(users))
    for _ in range(_ROUNDS):
        if not open_rows.size:
            break
        keys = users[open_rows] * n_items + random.integers(n_items, size=open_rows.size)
        _, first = np.unique(keys, return_index=True)
        fits = np.zeros(len(keys), bool)
        fits[first] = True
        place = np.minimum(np.searchsorted(taken, keys), len(taken) - 1)
        fits &= taken[place] != keys
        items[open_rows[fits]] = keys[fits] % n_items
        taken = np.sort(np.concatenate([taken, keys[fits]]))
        open_rows = open_rows[~fits]
    for user in np.unique(users[open_rows]):  # Users who interacted with nearly everything.
        rows = open_rows[users[open_rows] == user]
        own = taken[np.searchsorted(taken, user * n_items) : np.searchsorted(taken, (user + 1) * n_items)] % n_items
        left = random.permutation(np.setdiff1d(np.arange(n_items), own))[: len(rows)]
        items[rows[: len(left)]] = left
    return items
