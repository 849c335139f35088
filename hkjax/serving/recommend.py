"""Recommendations by name: the best items for users, for a new person with some known items, for an item."""

from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa

from hkjax.data.dataset import Dataset, Interactions, no_interactions
from hkjax.errors import InputError, nearest
from hkjax.serving.reasons import explain_pairs
from hkjax.serving.top_items import top_items
from hkjax.serving.trained import TrainedModel, user_histories


def recommend(
    model: TrainedModel,
    users: Sequence[str],
    top_k: int = 10,
    candidates: Sequence[str] = (),
    exclude: Sequence[str] = (),
    include_seen: bool = False,
    reasons: bool = True,
    progress: Callable[[int], None] = lambda done: None,
) -> pa.Table:
    """Returns the best items of each user.

    Args:
        model: the result of `load_model`.
        users: their ids. An unknown user gets the most popular items, without a score.
        top_k: items per user; fewer where fewer are left.
        candidates: ids of the items to choose among; none for all.
        exclude: ids of items to leave out.
        include_seen: whether to recommend items of the user's interactions in any part.
        reasons: whether to fill the column `because`.
        progress: called with the number of users done.

    Returns:
        Columns user, rank (from 1), item, name, score, because; by users in their order, then by rank.

    Raises:
        InputError: an unknown item, or no user.
    """
    if not len(users):
        raise InputError("no user to recommend to")
    users = list(dict.fromkeys(users))
    data, number = model.data, {name: k for k, name in enumerate(model.data.names.users)}
    known = np.array([number.get(user, -1) for user in users])
    seen = no_interactions() if include_seen else data.seen()
    allowed = allowed_items(data, candidates, exclude)
    distinct = np.unique(known[known >= 0])
    scores, items = top_items(model.recommender, model.representation, distinct, seen, allowed, top_k, progress)
    fallback_scores, fallback_items = _most_popular(data, allowed, top_k)
    place = np.searchsorted(distinct, known)
    unknown = (fallback_items, np.where(np.isfinite(fallback_scores), np.nan, -np.inf))
    rows = [(items[p], scores[p]) if user >= 0 else unknown for user, p in zip(known, place, strict=True)]
    because: list[list[str]] | None = None
    if reasons:
        because = _reasons(model, known, [i[s != -np.inf] for i, s in rows])
    return _table(data, users, rows, because)


def recommend_like(
    model: TrainedModel,
    liked: Sequence[str],
    top_k: int = 10,
    candidates: Sequence[str] = (),
    exclude: Sequence[str] = (),
    include_seen: bool = False,
    reasons: bool = True,
) -> pa.Table:
    """Returns the best items for a new person who liked the given items; the model folds the history in.

    Args:
        model: the result of `load_model`.
        liked: ids of items.
        top_k, candidates, exclude, include_seen, reasons: as in `recommend`; liked items count as seen.

    Returns:
        The columns of `recommend`; the user is `new`.

    Raises:
        InputError: an unknown item, or a model that can't score new users.
    """
    data, recommender = model.data, model.recommender
    if recommender.fold_in is None:
        raise InputError("this model can't recommend to users that it was not trained on")
    history = item_numbers(data, liked)
    prepared = jax.jit(recommender.fold_in.prepare)(model.params, recommender.inputs)
    weights = jnp.ones((1, len(history)))
    folded = jax.jit(recommender.fold_in.encode_users)(
        prepared, model.representation, jnp.asarray(history)[None], weights, None
    )
    own = Interactions(np.zeros(len(history), np.int32), history.astype(np.int32), np.ones(len(history), np.int32))
    seen = no_interactions() if include_seen else own
    allowed = allowed_items(data, candidates, exclude)
    scores, items = top_items(recommender, folded, np.zeros(1, int), seen, allowed, top_k)
    row, because = [(items[0], scores[0])], None
    if reasons:
        best = items[0][np.isfinite(scores[0])]
        because = [[x.sentence for x in explain_pairs(model, None, best, [history] * len(best), prepared)]]
    return _table(data, ["new"], row, because)


def similar(model: TrainedModel, item: str, top_k: int = 10, reasons: bool = True) -> pa.Table:
    """Returns the table of `recommend_like` for someone who liked only this item; its `user` is the item."""
    table = recommend_like(model, [item], top_k, reasons=reasons)
    return table.set_column(0, "user", pa.array([item] * len(table)))


def item_numbers(data: Dataset, ids: Sequence[str]) -> np.ndarray:
    """Returns the indices of item ids.

    Raises:
        InputError: one is unknown; the nearest known one is named.
    """
    number = {name: k for k, name in enumerate(data.names.items)}
    for name in ids:
        if name not in number:
            raise InputError(f"unknown item {name!r}{nearest(name, data.names.items)}")
    return np.array([number[name] for name in ids], np.int64)


def allowed_items(data: Dataset, candidates: Sequence[str], exclude: Sequence[str]) -> np.ndarray:
    """Returns the mask of items that may be recommended, bool [items]."""
    allowed = np.full(data.n_items, not len(candidates))
    allowed[item_numbers(data, candidates)] = True
    allowed[item_numbers(data, exclude)] = False
    return allowed


def _most_popular(data: Dataset, allowed: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    counts = _positives(data).astype(np.float64)
    counts[~allowed] = -np.inf
    items = np.argsort(-counts, kind="stable")[:top_k]
    return counts[items], items


def _reasons(model: TrainedModel, known: np.ndarray, items: Sequence[np.ndarray]) -> list[list[str]]:
    """Returns a sentence for each item of each user."""
    histories = user_histories(model.data)
    counts = _positives(model.data)
    pairs = [(user, item) for user, row in zip(known, items, strict=True) if user >= 0 for item in row]
    sentences: Iterator[str] = iter(())
    if pairs and model.recommender.fold_in is not None:
        users, chosen = (np.array(column) for column in zip(*pairs, strict=True))
        reasons = explain_pairs(model, users, chosen, [histories[user] for user in users])
        sentences = iter([reason.sentence for reason in reasons])
    return [
        [next(sentences, "") if user >= 0 else f"the user is unknown; {counts[item]} users liked it" for item in row]
        for user, row in zip(known, items, strict=True)
    ]


def _positives(data: Dataset) -> np.ndarray:
    """Counts the users who like each item, in any part."""
    items = [part.positives().items for part in (data.train, data.validation, data.test)]
    return np.bincount(np.concatenate(items), minlength=data.n_items)


def _table(
    data: Dataset,
    users: Sequence[str],
    rows: Sequence[tuple[np.ndarray, np.ndarray]],
    because: Sequence[Sequence[str]] | None,
) -> pa.Table:
    kept = [scores != -np.inf for _, scores in rows]
    counts = np.array([mask.sum() for mask in kept])
    items = np.concatenate([items[mask] for (items, _), mask in zip(rows, kept, strict=True)])
    scores = np.concatenate([scores[mask] for (_, scores), mask in zip(rows, kept, strict=True)])
    ranks = np.arange(len(items)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    ids, names = pa.array(data.names.items, pa.string()), pa.array(data.names.entities[: data.n_items], pa.string())
    sentences = [sentence for row in because for sentence in row] if because is not None else [""] * len(items)
    return pa.table(
        {
            "user": pa.array(users, pa.string()).take(pa.array(np.repeat(np.arange(len(users)), counts))),
            "rank": ranks.astype(np.int32),
            "item": ids.take(pa.array(items)),
            "name": names.take(pa.array(items)),
            "score": pa.array(scores.astype(np.float32), from_pandas=True),
            "because": pa.array(sentences, pa.string()),
        }
    )
