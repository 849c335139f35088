"""Rows of interactions by indices, before they are split: duplicates, overlaps and labels."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hkjax.data.config import DataConfig
from hkjax.data.dataset import Names
from hkjax.errors import InputError

# A smaller share of positives is probably a user error.
_FEW = 0.05


class Rows(NamedTuple):
    """Interactions by indices: int64 [rows] each; rating float64 or None, time int64 or None."""

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray | None
    time: np.ndarray | None

    def select(self, kept: np.ndarray) -> "Rows":
        """Returns the given rows (indices or a mask)."""
        rating, time = (None if column is None else column[kept] for column in (self.rating, self.time))
        return Rows(self.user[kept], self.item[kept], rating, time)


def deduplicate(
    rows: Rows, given: Mapping[str, Rows], n_items: int, config: DataConfig
) -> tuple[Rows, dict[str, Rows], int]:
    """Keeps one row per (user, item) of each part, in the order of the source."""
    n_before = len(rows.user) + sum(len(part.user) for part in given.values())
    rows = _unique_pairs(rows, n_items, config)
    given = {name: _unique_pairs(part, n_items, config) for name, part in given.items()}
    return rows, given, n_before - len(rows.user) - sum(len(part.user) for part in given.values())


def _unique_pairs(rows: Rows, n_items: int, config: DataConfig) -> Rows:
    key = rows.user * n_items + rows.item
    if config.duplicates == "count":
        _, first, counts = np.unique(key, return_index=True, return_counts=True)
        order = np.argsort(first)
        return rows.select(first[order])._replace(rating=counts[order].astype(np.float64))
    ordered = np.sort(key)
    if not (ordered[1:] == ordered[:-1]).any():
        return rows
    if config.duplicates == "latest":
        time = np.arange(len(key)) if rows.time is None else rows.time
        best = np.argsort(time, kind="stable")[::-1]
    else:
        best = np.arange(len(key)) if rows.rating is None else np.argsort(-rows.rating, kind="stable")
    _, first = np.unique(key[best], return_index=True)
    return rows.select(np.sort(best[first]))


def leave_out(rows: Rows, given: Mapping[str, Rows], n_items: int) -> tuple[Rows, list[tuple[str, int]]]:
    """Drops the rows that are also in a given part, and counts them."""
    counts = []
    for name, part in given.items():
        inside = np.isin(rows.user * n_items + rows.item, part.user * n_items + part.item)
        counts.append((name, int(inside.sum())))
        rows = rows.select(~inside) if inside.any() else rows
    return rows, counts


def drop_absent_users(rows: Rows, given: Mapping[str, Rows], names: Names) -> tuple[Rows, dict[str, Rows], Names]:
    """Renumbers the users, without those that have no row."""
    present = np.unique(np.concatenate([part.user for part in (rows, *given.values())]))
    rows, *others = (part._replace(user=np.searchsorted(present, part.user)) for part in (rows, *given.values()))
    named = names._replace(users=[names.users[user] for user in present])
    return rows, dict(zip(given, others, strict=True)), named


def label_ratings(
    tables: Sequence[Rows], config: DataConfig, source: str, rates: bool
) -> tuple[list[np.ndarray], str | None]:
    """Labels the rows of several tables by one threshold.

    Args:
        tables: the rows; without ratings all of a table are positives.
        config: its `threshold` and `duplicates`.
        source: name of the first table, for messages.
        rates: ratings are opinions or labels, not counts; without a threshold, counts make every row a positive.

    Returns:
        int64 [rows] of each table, 1 for a positive and 0 otherwise; and a remark on the decision, or None.

    Raises:
        InputError: a threshold without ratings, or above every rating.
    """
    known = [rows.rating for rows in tables if rows.rating is not None and rows.rating.size]
    all_positive = [np.ones(len(rows.user), np.int64) for rows in tables]
    threshold = config.threshold
    if threshold is not None and not known:
        raise InputError(f"data.threshold {threshold:g}: {source} has no ratings (--columns=rating:NAME names them)")
    if not known or (threshold is None and not rates and config.duplicates != "count"):
        return all_positive, None
    low, high = min(float(x.min()) for x in known), max(float(x.max()) for x in known)
    remark = None
    if threshold is None:
        if low in (0, 1) and high in (0, 1) and all(np.isin(x, (0, 1)).all() for x in known):
            threshold = 1.0
        elif not rates or config.duplicates == "count":
            return all_positive, None
        else:
            threshold = _upper_quarter(np.unique(np.concatenate([np.unique(x) for x in known])))
            remark = f"ratings go from {low:g} to {high:g}: {threshold:g} and more count as positive (data.threshold)"
            share = sum((x >= threshold).sum() for x in known) / sum(x.size for x in known)
            if share < _FEW:
                remark += f"; that is {share:.1%} of all: is one of the ratings out of its range?"
    elif threshold > high:
        raise InputError(f"data.threshold {threshold:g} is above every rating of {source} ({low:g} to {high:g})")
    elif threshold <= low:
        remark = f"data.threshold {threshold:g} is not above any rating ({low:g} to {high:g}): every row is a positive"
    labels = [
        ones if rows.rating is None else (rows.rating >= threshold).astype(np.int64)
        for rows, ones in zip(tables, all_positive, strict=True)
    ]
    return labels, remark


def _upper_quarter(values: np.ndarray) -> float:
    """Returns the smallest rating in the upper quarter of the scale, ends included."""
    return float(values[values >= values[0] + 0.75 * (values[-1] - values[0])][0])
