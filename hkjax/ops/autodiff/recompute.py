"""Rematerialisation: the values that the reverse pass keeps, and those that it computes again.

Operations mark values that are costly to compute and cheap to keep: sums over edges, scalars of edges, squares of rows.
A model only chooses functions to recompute.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
from jax.ad_checkpoint import checkpoint_name

_KEPT = "kept"
_POLICY = jax.checkpoint_policies.save_only_these_names(_KEPT)
P = ParamSpec("P")
R = TypeVar("R")


def keep(x: jax.Array) -> jax.Array:
    """Returns x, and marks it as a value that the reverse pass of a recomputed function keeps."""
    return checkpoint_name(x, _KEPT)


def recompute(function: Callable[P, R]) -> Callable[P, R]:
    """Makes the reverse pass of a function compute its values again, except those marked by `keep`."""
    return jax.checkpoint(function, policy=_POLICY)


def scan_recomputed(step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any, length: int) -> tuple[Any, Any]:
    """Runs `jax.lax.scan`, and makes the reverse pass compute each step again, except what `keep` marked."""
    # Inside a loop the compiler merges no expressions across iterations: nothing must prevent it.
    return jax.lax.scan(jax.checkpoint(step, prevent_cse=False, policy=_POLICY), carry, xs, length=length)
