"""Full ranking: all items that a user did not interact with in train, in blocks of users on the device."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.blocks import map_user_blocks
from hkjax.data.dataset import Interactions
from hkjax.errors import InputError
from hkjax.evaluation.metrics import ranking_metrics
from hkjax.models.base import Recommender, Representation
from hkjax.ops.top_k import top_k


class Ranking(NamedTuple):
    """The top of each user's ranking, and its metrics.

    Attributes:
        users: int [users], ascending.
        items: int [users, depth], best first; -1 where none is left.
        metrics: the result of `ranking_metrics`, [users] each.
    """

    users: np.ndarray
    items: np.ndarray
    metrics: dict[str, np.ndarray]


def rank_users(
    recommender: Recommender,
    representation: Representation,
    n_items: int,
    relevant: Interactions,
    seen: Interactions,
    ks: Sequence[int],
) -> Ranking:
    """Ranks all items for each user who has a relevant one.

    Args:
        recommender, representation: the model and the result of its `encode`.
        n_items: number of items.
        relevant: the rows to find, e.g. the positives of test; each pair counts once.
        seen: rows to exclude from their user's ranking, e.g. the positives of train. A row that is also relevant
            can't be found.
        ks: the cut-offs K; the largest is the depth. Places without an item left, or without a finite score, are no
            hits.

    Raises:
        InputError: no row is relevant.
    """
    if not relevant.users.size:
        raise InputError("ranking: no user has a relevant item to find")
    pairs = np.unique(relevant.users.astype(np.int64) * n_items + relevant.items)
    relevant = Interactions(*(x.astype(np.int32) for x in (pairs // n_items, pairs % n_items, np.ones(len(pairs)))))
    users, n_relevant = np.unique(relevant.users, return_counts=True)
    depth = min(max(ks), n_items)
    top_hits = partial(_top_hits, recommender.score_all_items, depth, representation)
    hits, items = map_user_blocks(top_hits, users, n_items, relevant, seen)
    return Ranking(users, items, ranking_metrics(hits, n_relevant, ks))


@partial(jax.jit, static_argnums=(0, 1))
def _top_hits(
    score_all_items: Callable[[Representation, jax.Array], jax.Array],
    depth: int,
    representation: Representation,
    users: jax.Array,
    relevant: tuple[jax.Array, jax.Array],
    excluded: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """Returns the hits among each user's `depth` best items, and those items, -1 for none: [users, depth] each."""
    scores = score_all_items(representation, users)
    scores = jnp.where(jnp.isfinite(scores), scores, -jnp.inf)
    scores = scores.at[excluded[0], excluded[1]].set(-jnp.inf, mode="drop")
    is_relevant = jnp.zeros(scores.shape, bool).at[relevant[0], relevant[1]].set(True, mode="drop")
    best, top = top_k(scores, depth)
    left = best > -jnp.inf
    return jnp.take_along_axis(is_relevant, top, axis=1) & left, jnp.where(left, top, -1)
