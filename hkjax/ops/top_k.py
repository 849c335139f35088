"""The best of many scores."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

_WIDTH = 64


def top_k(scores: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
    """`jax.lax.top_k` of rows: the k largest scores of each, descending, and where they are; of equal ones the first.

    Args:
        scores: [rows, n].
        k: at most n.

    Returns:
        [rows, k] and int32 [rows, k].
    """
    chex.assert_rank(scores, 2)
    whole = partial(jax.lax.top_k, k=k)
    # A GPU would sort whole rows.
    by_groups = whole if scores.shape[1] <= k * _WIDTH else partial(_by_groups, k=k)
    values, items = jax.lax.platform_dependent(scores, cuda=by_groups, default=whole)
    return values, items


def _by_groups(scores: jax.Array, k: int) -> list[jax.Array]:
    """From the k groups with the largest maxima: each of them has a score that comes before all of any other group."""
    rows, n = scores.shape
    padded = jnp.pad(scores, ((0, 0), (0, -n % _WIDTH)), constant_values=-jnp.inf)
    groups = padded.reshape(rows, -1, _WIDTH)
    _, best = jax.lax.top_k(jnp.max(groups, axis=2), k)
    best = jnp.sort(best, axis=1)  # Of equal scores the first are found where they stand in order.
    values, at = jax.lax.top_k(jnp.take_along_axis(groups, best[:, :, None], axis=1).reshape(rows, -1), k)
    return [values, jnp.take_along_axis(best, at // _WIDTH, axis=1) * _WIDTH + at % _WIDTH]
