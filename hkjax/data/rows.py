"""Interactions by numbers, before they are labelled and split: without duplicates."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hkjax.data.config import DataConfig
from hkjax.data.dataset import Names


class Rows(NamedTuple):
    """Interactions by numbers: int64 [rows] each; rating float64 or None, time int64 or None."""

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray | None
    time: np.ndarray | None

    def select(self, kept: np.ndarray) -> "Rows":
        """The given rows (indices or a mask)."""
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
    """Renumbers the users, without those who have no row."""
    present = np.unique(np.concatenate([part.user for part in (rows, *given.values())]))
    rows, *others = (part._replace(user=np.searchsorted(present, part.user)) for part in (rows, *given.values()))
    named = names._replace(users=[names.users[user] for user in present])
    return rows, dict(zip(given, others, strict=True)), named
