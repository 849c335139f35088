"""The best items of many users, in blocks on the device."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.blocks import map_user_blocks
from hkjax.data.dataset import Interactions
from hkjax.models.base import Recommender, Representation
from hkjax.ops.top_k import top_k


def top_items(
    recommender: Recommender,
    representation: Representation,
    users: np.ndarray,
    seen: Interactions,
    allowed: np.ndarray,
    top_k: int,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the best items of users, in blocks on the device.

    Args:
        recommender, representation: the model.
        users: ascending indices [users].
        seen: rows to leave out for their user.
        allowed: bool [items].
        top_k: items per user.
        progress: called with the number of users done.

    Returns:
        Scores, descending, and items: [users, min(top_k, items)] each; -inf where no item with a finite score is
        left.
    """
    k = min(top_k, len(allowed))
    if not len(users):
        return np.zeros((0, k), np.float32), np.zeros((0, k), np.int32)
    best = partial(_top_k, recommender.score_all_items, k, representation, jnp.asarray(~allowed))
    scores, items = map_user_blocks(best, users, len(allowed), seen, progress=progress)
    return scores, items


@partial(jax.jit, static_argnums=(0, 1))
def _top_k(
    score_all_items: Callable[[Representation, jax.Array], jax.Array],
    k: int,
    representation: Representation,
    forbidden: jax.Array,
    users: jax.Array,
    seen: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    scores = score_all_items(representation, users)
    scores = jnp.where(forbidden | ~jnp.isfinite(scores), -jnp.inf, scores)
    return top_k(scores.at[seen[0], seen[1]].set(-jnp.inf, mode="drop"), k)
