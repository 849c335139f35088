"""Seeded splits of rows into train, validation and test."""

from collections.abc import Sequence

import numpy as np

from hkjax.errors import InputError


def random_split(n_rows: int, ratios: Sequence[float], seed: int) -> list[np.ndarray]:
    """Shuffles the rows and cuts them in the given proportions.

    Args:
        n_rows: how many rows there are.
        ratios: the parts' relative sizes, e.g. (6, 2, 2).
        seed: equal seeds give equal splits.

    Returns:
        One int64 array of row numbers, ascending, per ratio; together every row exactly once.
    """
    order = np.random.default_rng(seed).permutation(n_rows)
    cuts = np.round(np.cumsum(_fractions(ratios))[:-1] * n_rows).astype(np.int64)
    return [np.sort(part) for part in np.split(order, cuts)]


def per_user_split(users: np.ndarray, ratios: Sequence[float], seed: int) -> list[np.ndarray]:
    """Shuffles and cuts the rows of each user apart, so that every part holds its part of every user.

    A user's rows are dealt to the parts by rounding the cumulative proportions, so a user with one
    row keeps it in the part where the rounding puts it (train, for a first ratio above one half).

    Args:
        users: int array [rows], the user of each row.
        ratios: the parts' relative sizes.
        seed: equal seeds give equal splits.

    Returns:
        One int64 array of row numbers, ascending, per ratio.
    """
    shuffled = np.random.default_rng(seed).permutation(users.size)
    order = shuffled[np.argsort(users[shuffled], kind="stable")]
    _, first, count = np.unique(users[order], return_index=True, return_counts=True)
    rank = np.arange(users.size) - np.repeat(first, count)
    size = np.repeat(count, count)
    bounds = np.round(np.cumsum(_fractions(ratios))[:, None] * size)
    part = (rank >= bounds[:-1]).sum(axis=0)
    return [np.sort(order[part == k]) for k in range(len(ratios))]


def _fractions(ratios: Sequence[float]) -> np.ndarray:
    array = np.asarray(ratios, np.float64)
    if array.ndim != 1 or array.size < 2 or (array < 0).any() or array.sum() <= 0:
        raise InputError(f"data.ratios: expected non-negative proportions such as (6, 2, 2), found {tuple(ratios)}")
    return array / array.sum()
