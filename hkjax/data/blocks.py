"""Pairs of users and items, grouped by one side, or cut to fit blocks of users on the device."""

from collections.abc import Sequence

import numpy as np

from hkjax.data.dataset import Interactions


def blocked_pairs(rows: Interactions, blocks: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each block of ascending users the (row in block, item) pairs, padded to one length.

    Padding names the row after the last, which a scatter drops.

    Args:
        rows: interactions; those of users outside of the blocks are left out.
        blocks: the first one is the longest.
    """
    order = np.argsort(rows.users, kind="stable")
    users, items = rows.users[order], rows.items[order]
    pairs = []
    for block in blocks:
        first, last = np.searchsorted(users, [block[0], block[-1] + 1])
        row = np.searchsorted(block, users[first:last])
        inside = block[np.minimum(row, len(block) - 1)] == users[first:last]
        pairs.append((row[inside].astype(np.int32), items[first:last][inside]))
    length = max(len(row) for row, _ in pairs)
    pad = len(blocks[0])
    return [
        (np.pad(row, (0, length - len(row)), constant_values=pad), np.pad(item, (0, length - len(item))))
        for row, item in pairs
    ]


def group_by(values: np.ndarray, keys: np.ndarray, n_keys: int) -> list[np.ndarray]:
    """The values [rows] of each key from 0 to n_keys - 1, given the keys [rows]; in the order of the rows."""
    order = np.argsort(keys, kind="stable")
    return np.split(values[order], np.cumsum(np.bincount(keys, minlength=n_keys))[:-1])
