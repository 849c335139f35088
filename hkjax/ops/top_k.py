"""The largest of many scores."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from hkjax.ops.lowerings.searches import top_by_groups, worth_grouping
from hkjax.ops.lowerings.table import by_platform
from hkjax.shapes import check_rank


def top_k(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """Finds each row's k largest scores, descending, and their places; the first of equal ones, as in `jax.lax.top_k`.

    Args:
        scores: [rows, n].
        k: at most n.

    Returns:
        [rows, k] and int32 [rows, k].

    Example:
        >>> values, places = top_k(jnp.array([[1.0, 3.0, 2.0]]), 2)
        >>> places
        Array([[1, 2]], dtype=int32)
    """
    check_rank("top_k", 2, scores=scores)
    ways: dict[str, Callable[..., Any]] = {"sorted": lambda scores: tuple(jax.lax.top_k(scores, k))}
    if worth_grouping(scores.shape[1], k):
        ways["groups"] = partial(top_by_groups, k=k)
    values, places = by_platform("top_k", ways, scores)
    return values, places
