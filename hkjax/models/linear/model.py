"""A linear item model as a recommender: k weights for each item, solved for in closed form."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.models.base import FoldIn, Params, Recommender, nothing_to_train
from hkjax.models.linear.gram import histories
from hkjax.ops.lists import (
    Lists,
    Neighbours,
    dense_rows,
    neighbour_scores,
    neighbour_sums,
    padded_lists,
    targets_of_sources,
)

# Pairs that are scored at a time, each by a dense row.
_PAIRS_PER_BLOCK = 128


class ItemScores(NamedTuple):
    """The histories and the weights that scores are sums of.

    Attributes:
        history: the items of each user.
        neighbours: the weights of each item's sources.
        by_source: the same weights, by source.
    """

    history: Lists
    neighbours: Neighbours
    by_source: Lists


def item_model(
    data: Dataset,
    arguments: Callable[[], dict[str, Any]],
    solve: Callable[..., Neighbours],
    k: int,
    static: Mapping[str, Any],
) -> Recommender:
    """Builds the recommender of a closed form.

    Args:
        data: the interactions.
        arguments: () -> what the closed form is computed from; a trained model needs none of it.
        solve: (arguments, **static) -> the weights, compiled.
        k: weights of each item.
        static: further arguments of it, by which it is compiled.
    """
    positives = data.train.positives()
    shape = (data.n_items, min(k, data.n_items))

    def init(key: jax.Array) -> Params:
        del key
        return Neighbours(jnp.full(shape, data.n_items, jnp.int32), jnp.zeros(shape))._asdict()

    return Recommender(
        inputs={"history": histories(data)},
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, max(1, len(positives.users))),
        init=init,
        loss=nothing_to_train,
        encode=encode,
        score_pairs=score_pairs,
        score_all_items=score_all_items,
        fold_in=FoldIn(prepare, encode_users, score_parts=lambda prepared, *args: {"": score_pairs(*args)}),
        row_ids={"item": data.names.items},
        solve=lambda params, inputs: solve(arguments(), **static)._asdict(),
        trained=(),
    )


def encode(params: Params, inputs: dict[str, Any]) -> ItemScores:
    """Puts the weights beside the histories."""
    neighbours = Neighbours(**params)
    return ItemScores(inputs["history"], neighbours, targets_of_sources(neighbours))


def score_all_items(x: ItemScores, users: jax.Array) -> jax.Array:
    """Sums the weights of each user's history for every item, [B, items]."""
    return neighbour_sums(x.neighbours, x.by_source, x.history, users)


def score_pairs(x: ItemScores, users: jax.Array, items: jax.Array) -> jax.Array:
    """Sums the weights of each user's history for one item, [B]."""

    def score(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
        row = dense_rows(x.history, pair[0][None], x.neighbours.sources.shape[0])
        return neighbour_scores(x.neighbours, row, pair[1][None])[0]

    return jax.lax.map(score, (users, items), batch_size=_PAIRS_PER_BLOCK)


def prepare(params: Params, inputs: dict[str, Any]) -> None:
    """Prepares nothing: a history is all that the scores need."""


def encode_users(prepared: None, x: Any, items: jax.Array, weights: jax.Array, ids: jax.Array | None) -> Any:
    """Implements `FoldIn.encode_users`: the given histories instead of the trained users'."""
    return x._replace(history=padded_lists(items, weights))
