"""Splits of rows into train, validation and test, and the k-core."""

from collections.abc import Sequence

import numpy as np

from hkjax.data.config import DataConfig
from hkjax.data.sources.columns import parse_date
from hkjax.errors import InputError


def split_rows(
    users: np.ndarray, times: np.ndarray | None, positive: np.ndarray, config: DataConfig, n_parts: int, seed: int
) -> list[np.ndarray]:
    """Cuts rows by `config.split`.

    Args:
        users: int [rows].
        times: int64 [rows], microseconds since 1970, or None.
        positive: bool [rows].
        config: its `split`, `ratios` and `dates`.
        n_parts: 3, or 2 where the test part is given.
        seed: equal seeds give equal splits.

    Returns:
        Row indices of each part.
    """
    ratios = config.ratios[:n_parts]
    if config.split == "temporal":
        if times is None:
            raise InputError("data.split: temporal needs a column of times")
        if config.dates:
            return dated_split(times, config.dates, n_parts)
        return temporal_split(times, ratios)
    if config.split == "leave_one_out":
        return leave_one_out_split(users, times, positive, n_parts, seed)
    if config.split == "random" and n_parts == 3:
        return random_split(len(users), ratios, seed)
    return per_user_split(users, ratios, seed)


def random_split(n_rows: int, ratios: Sequence[float], seed: int) -> list[np.ndarray]:
    """Shuffles the rows and cuts them in the given proportions.

    Args:
        n_rows: count of rows.
        ratios: the parts' relative sizes, e.g. (6, 2, 2).
        seed: equal seeds give equal splits.

    Returns:
        One int64 array of row indices, ascending, per ratio; each row is in exactly one.
    """
    order = np.random.default_rng(seed).permutation(n_rows)
    cuts = np.round(np.cumsum(_fractions(ratios))[:-1] * n_rows).astype(np.int64)
    return [np.sort(part) for part in np.split(order, cuts)]


def per_user_split(users: np.ndarray, ratios: Sequence[float], seed: int) -> list[np.ndarray]:
    """Shuffles and cuts each user's rows separately, so that every part holds its share of every user.

    A user's rows are dealt to the parts by rounding the cumulative proportions. A user's only row goes
    where the rounding puts it (train, for a first ratio above one half).

    Args:
        users: int array [rows], the user of each row.
        ratios: the parts' relative sizes.
        seed: equal seeds give equal splits.

    Returns:
        One int64 array of row indices, ascending, per ratio.
    """
    shuffled = np.random.default_rng(seed).permutation(users.size)
    order = shuffled[np.argsort(users[shuffled], kind="stable")]
    _, first, count = np.unique(users[order], return_index=True, return_counts=True)
    rank = np.arange(users.size) - np.repeat(first, count)
    size = np.repeat(count, count)
    bounds = np.round(np.cumsum(_fractions(ratios))[:, None] * size)
    part = (rank >= bounds[:-1]).sum(axis=0)
    return [np.sort(order[part == k]) for k in range(len(ratios))]


def temporal_split(times: np.ndarray, ratios: Sequence[float]) -> list[np.ndarray]:
    """Cuts the rows in the order of their times [rows] in the given proportions; rows of one time stay together.

    Returns:
        One int64 array of row indices, ascending, per ratio.
    """
    ordered = np.sort(times)
    places = np.round(np.cumsum(_fractions(ratios))[:-1] * len(times)).astype(np.int64)
    return _cut_at(times, ordered[np.minimum(places, len(times) - 1)])


def dated_split(times: np.ndarray, dates: Sequence[str], n_parts: int) -> list[np.ndarray]:
    """Cuts the rows at the dates where validation and test begin.

    Raises:
        InputError: there are not `n_parts` - 1 dates in ascending order.
    """
    bounds = np.array([parse_date(date) for date in dates])
    if len(bounds) != n_parts - 1 or (np.diff(bounds) <= 0).any():
        raise InputError(f"data.dates: expected {n_parts - 1} ascending dates, found {tuple(dates)}")
    return _cut_at(times, bounds)


def _cut_at(times: np.ndarray, bounds: np.ndarray) -> list[np.ndarray]:
    part = np.searchsorted(bounds, times, side="right")
    return [np.flatnonzero(part == k) for k in range(len(bounds) + 1)]


def leave_one_out_split(
    users: np.ndarray, times: np.ndarray | None, positive: np.ndarray, n_parts: int, seed: int
) -> list[np.ndarray]:
    """Puts each user's last positive in the last part, the one before in the part before, and all else in train.

    Without times, a user's last positives are random. A user with fewer positives than parts keeps all in train.

    Args:
        users: int [rows].
        times: int64 [rows] or None.
        positive: bool [rows].
        n_parts: 2 or 3.
        seed: of the draws.
    """
    rows = np.flatnonzero(positive)
    rows = np.random.default_rng(seed).permutation(rows)
    if times is not None:
        rows = rows[np.argsort(times[rows], kind="stable")]
    rows = rows[np.argsort(users[rows], kind="stable")]
    _, first, count = np.unique(users[rows], return_index=True, return_counts=True)
    from_last = np.repeat(first + count, count) - 1 - np.arange(len(rows))
    held_out = (from_last < n_parts - 1) & (np.repeat(count, count) >= n_parts)
    part = np.zeros(len(users), np.int64)
    part[rows[held_out]] = n_parts - 1 - from_last[held_out]
    return [np.flatnonzero(part == k) for k in range(n_parts)]


def k_core(users: np.ndarray, items: np.ndarray, positive: np.ndarray, k: int) -> np.ndarray:
    """Returns the k-core as a mask [rows]: user and item of a kept row have k positives each among kept rows.

    Args:
        users, items: int [rows].
        positive: bool [rows], the rows that count.
        k: at least 1.
    """
    kept = np.ones(len(users), bool)
    while True:
        counted = kept & positive
        degrees = (np.bincount(ids[counted], minlength=int(ids.max(initial=-1)) + 1) for ids in (users, items))
        enough_users, enough_items = (degree >= k for degree in degrees)
        smaller = kept & enough_users[users] & enough_items[items]
        if smaller.sum() == kept.sum():
            return kept
        kept = smaller


def _fractions(ratios: Sequence[float]) -> np.ndarray:
    array = np.asarray(ratios, np.float64)
    if array.ndim != 1 or array.size < 2 or not (array >= 0).all() or not 0 < array.sum() < np.inf:
        raise InputError(f"data.ratios: expected non-negative proportions such as (6, 2, 2), found {tuple(ratios)}")
    return array / array.sum()
