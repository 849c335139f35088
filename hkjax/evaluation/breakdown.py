"""Diversity of rankings, and their recall by groups of users and items."""

import itertools
from collections.abc import Mapping

import numpy as np

from hkjax.data.dataset import Interactions

# Lower bounds of the groups of users, by their positives in train, and of items.
HISTORY_GROUPS = (0, 5, 10, 20, 50)
POPULARITY_GROUPS = (0, 1, 5, 20, 100)


def diversity_metrics(items: np.ndarray, popularity: np.ndarray, k: int) -> dict[str, float]:
    """Computes the diversity of the first k items of all users.

    Args:
        items: [users, depth], -1 for none.
        popularity: positives in train [items].
        k: the cut-off.

    Returns:
        `coverage@k`, the fraction of the catalogue that is recommended to somebody; `gini@k`, the Gini index of the
        items' recommendation counts, 0 where all are equal and near 1 where few items have all; `novelty@k`, the mean
        of -log2 of the items' shares of all positives, in bits (Vargas and Castells, RecSys 2011). An item without
        positives counts as half a positive.
    """
    top = items[:, :k][items[:, :k] >= 0]
    counts = np.sort(np.bincount(top, minlength=len(popularity)))
    ranks = np.arange(1, len(counts) + 1)
    gini = float(((2 * ranks - len(counts) - 1) * counts).sum() / (len(counts) * max(counts.sum(), 1)))
    share = np.maximum(popularity, 0.5) / max(popularity.sum(), 1)
    novelty = float(-np.log2(share[top]).mean()) if top.size else 0.0
    return {f"coverage@{k}": float((counts > 0).mean()), f"gini@{k}": gini, f"novelty@{k}": novelty}


def recall_by_popularity(
    users: np.ndarray, items: np.ndarray, relevant: Interactions, popularity: np.ndarray, k: int
) -> Mapping[str, list[float]]:
    """Computes [relevant rows, recall in the first k] by groups of the item's popularity.

    Args:
        users: int [users], ascending.
        items: int [users, depth], the top of their rankings, -1 for none.
        relevant: rows of these users.
        popularity: positives in train [items].
        k: the cut-off.
    """
    n_items = len(popularity)
    pairs = users[:, None].astype(np.int64) * n_items + items[:, :k]
    top = np.sort(np.where(items[:, :k] >= 0, pairs, -1).ravel())
    keys = relevant.users.astype(np.int64) * n_items + relevant.items
    found = top[np.minimum(np.searchsorted(top, keys), len(top) - 1)] == keys
    return _by_group(popularity[relevant.items], found, POPULARITY_GROUPS)


def recall_by_history(lengths: np.ndarray, recall: np.ndarray) -> Mapping[str, list[float]]:
    """Computes [users, mean recall] by groups of the history's length; both arguments are [users]."""
    return _by_group(lengths, recall, HISTORY_GROUPS)


def _by_group(sizes: np.ndarray, values: np.ndarray, bounds: tuple[int, ...]) -> dict[str, list[float]]:
    group = np.searchsorted(bounds, sizes, side="right") - 1
    names = [str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in itertools.pairwise(bounds)]
    found = {}
    for k, name in enumerate([*names, f"{bounds[-1]}+"]):
        if (group == k).any():
            found[name] = [int((group == k).sum()), float(values[group == k].mean())]
    return found
