"""Blocks of users: their scores of all items are computed at once on the device."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hkjax.data.dataset import Interactions
from hkjax.transfer import one_ahead, to_host

_SCORES_PER_BLOCK = 1 << 24


def map_user_blocks(
    function: Callable[..., Sequence[Any]],
    users: np.ndarray,
    n_items: int,
    *rows: Interactions,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[np.ndarray, ...]:
    """Applies a function to blocks of users, and joins its results on the host.

    Args:
        function: (users [B], pairs, ...) -> arrays [B, ...]; one `pairs` for each of `rows`, as in `blocked_pairs`:
            the block's (row in block, item). Runs on the next block before the last result is read.
        users: ascending indices, at least one.
        n_items: number of items, by which blocks are sized.
        *rows: interactions.
        progress: called with the number of users done.
    """
    size = max(1, min(len(users), _SCORES_PER_BLOCK // n_items))
    blocks = [users[i : i + size] for i in range(0, len(users), size)]
    pairs = (blocked_pairs(each, blocks) for each in rows)
    padded = (np.pad(block, (0, size - len(block))) for block in blocks)
    started = (function(*block) for block in zip(padded, *pairs, strict=True))
    results, done = [], 0
    for block, result in zip(blocks, one_ahead(started), strict=True):
        results.append([to_host(x)[: len(block)] for x in result])
        done += len(block)
        progress(done)
    return tuple(map(np.concatenate, zip(*results, strict=True)))


def blocked_pairs(rows: Interactions, blocks: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Finds the (row in block, item) pairs of each block of ascending users, padded to one length.

    Padding has the row after the last, which a scatter drops.

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
    """Groups values [rows] by keys [rows] from 0 to n_keys - 1; each group keeps the order of the rows."""
    order = np.argsort(keys, kind="stable")
    return np.split(values[order], np.cumsum(np.bincount(keys, minlength=n_keys))[:-1])
