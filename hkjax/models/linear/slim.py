"""SLIM on each item's nearest candidates: non-negative regressions with an elastic net, by coordinate descent."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.data.dataset import Dataset
from hkjax.models.base import Recommender
from hkjax.models.linear.config import SLIMConfig
from hkjax.models.linear.equations import slim_step
from hkjax.models.linear.gram import Gram, gram_and_numbers, mean_diagonal, sub_gram, top_neighbours
from hkjax.models.linear.memory import Remember, compute_anew
from hkjax.models.linear.model import item_model
from hkjax.ops.lists import Neighbours
from hkjax.precision import full_precision

_TARGETS_AT_ONCE = 64


def slim(config: SLIMConfig, data: Dataset, batch_size: int = 0, remember: Remember = compute_anew) -> Recommender:
    """Builds SLIM from the positives of train; the batch size counts for nothing."""
    del batch_size
    numbers = jnp.array([config.l1, config.l2])
    arguments = partial(gram_and_numbers, remember, data, 2 * config.user_power, numbers)
    static = {"k": config.candidates, "sweeps": config.sweeps}
    return item_model(data, arguments, _solve, config.candidates, static)


def slim_neighbours(gram: Gram, k: int, sweeps: int, l1: jax.Array, l2: jax.Array) -> Neighbours:
    """Solves the regression of every item on its k nearest: those of the largest damped cosine.

    Args:
        gram: the Gram matrix.
        k: candidates.
        sweeps: passes of coordinate descent.
        l1, l2: penalties, as multiples of the mean diagonal entry.
    """
    n, mean = gram.degree.size, mean_diagonal(gram.diagonal)
    l1, l2 = l1 * mean, l2 * mean
    candidates = top_neighbours(gram, k, _damped_cosine, jnp.sqrt(gram.diagonal + l2)).sources
    k = candidates.shape[1]

    def solve(item: tuple[jax.Array, jax.Array]) -> jax.Array:
        target, s = item
        # The target is the last candidate, so that its column is read with the others.
        block = sub_gram(gram, jnp.append(s, target))

        def step(t: jax.Array, w: jax.Array) -> jax.Array:
            return slim_step(w, t % k, block[:-1, :-1], block[-1, :-1], l1, l2)

        weights = jax.lax.fori_loop(0, sweeps * k, step, jnp.zeros(k, block.dtype))
        return jnp.where(s < n, weights, 0)

    targets = jnp.arange(n, dtype=jnp.int32)
    return Neighbours(candidates, jax.lax.map(solve, (targets, candidates), batch_size=_TARGETS_AT_ONCE))


def _damped_cosine(g: jax.Array, i: jax.Array, j: jax.Array, damped: jax.Array) -> jax.Array:
    return g / (damped[i] * damped[j])


@partial(jax.jit, static_argnames=("k", "sweeps"))
@full_precision
def _solve(inputs: dict[str, Any], k: int, sweeps: int) -> Neighbours:
    return slim_neighbours(inputs["gram"], k, sweeps, *inputs["numbers"])
