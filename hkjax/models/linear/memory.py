"""Intermediate results that models of one data set share while their settings are searched."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

Remember = Callable[[Hashable, Callable[[], Any]], Any]


def compute_anew(key: Hashable, compute: Callable[[], Any]) -> Any:
    """Remembers nothing."""
    del key
    return compute()


def remember_last(size: int) -> Remember:
    """Returns (key, compute) -> the result, which is computed unless it is among the last ones.

    Args:
        size: results to keep; Gram matrices of many items take gigabytes.
    """
    kept: OrderedDict[Hashable, Any] = OrderedDict()

    def remember(key: Hashable, compute: Callable[[], Any]) -> Any:
        if key not in kept:
            while len(kept) >= size:
                kept.popitem(last=False)
            kept[key] = compute()
        kept.move_to_end(key)
        return kept[key]

    return remember
