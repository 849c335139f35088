"""Contributions of history items and attributes to scores, for many pairs of users and items at once.

A history item's contribution is the derivative of the score by the item's weight in the history: to first order, the
loss of the score without it. The model defines an attribute's contribution (`FoldIn.score_attributes`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.models.base import FoldIn, Recommender, Representation
from hkjax.ops.segment import Ragged, make_ragged
from hkjax.transfer import to_host

# History items, or facts, per block.
_POSITIONS_PER_BLOCK = 1 << 15


def item_facts(data: Dataset) -> Ragged:
    """Groups the triples by the items at either end: for each item the other ends and, as `attr`, the relations.

    Relation n_relations + r is relation r in reverse.
    """
    head, relation, tail = data.triples.T
    items = np.concatenate([head, tail])
    relations, entities = np.concatenate([relation, relation + data.n_relations]), np.concatenate([tail, head])
    kept = items < data.n_items
    return make_ragged(items[kept], entities[kept], data.n_items, relations[kept])


def history_contributions(
    recommender: Recommender,
    prepared: Any,
    representation: Representation,
    users: np.ndarray | None,
    items: np.ndarray,
    histories: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Computes the contribution of each history item to the score of each pair.

    Args:
        recommender: a model with `fold_in`.
        prepared: the result of `FoldIn.prepare`.
        representation: of the trained users.
        users: indices of trained users [P]; None for new ones.
        items: indices of the items [P].
        histories: the history of each pair's user.

    Returns:
        For each pair float [length of the history].
    """
    fold_in, results = _fold_in(recommender), [np.zeros(0)] * len(items)
    function = partial(_derivative, fold_in.encode_users, recommender.score_pairs, prepared, representation)
    for rows, block, room in _buckets(np.array([len(history) for history in histories])):
        values, mask = _padded([histories[row] for row in rows], block, room)
        of_rows = np.pad(rows, (0, block - len(rows)))
        ids = None if users is None else jnp.asarray(users[of_rows])
        found = to_host(function(values, mask, ids, jnp.asarray(items[of_rows])))
        for row, contributions in zip(rows, found, strict=False):
            results[row] = contributions[: len(histories[row])]
    return results


def attribute_contributions(
    fold_in: FoldIn,
    prepared: Any,
    representation: Representation,
    users: np.ndarray,
    items: np.ndarray,
    facts: Ragged,
) -> list[np.ndarray]:
    """Computes each fact's contribution: for each pair float [facts of the item].

    Args:
        fold_in: it has `score_attributes`.
        prepared: the result of `FoldIn.prepare`.
        representation: of the users.
        users, items: their indices [P].
        facts: the result of `item_facts`.
    """
    results = [np.zeros(0)] * len(items)
    for rows, block, room in _buckets(facts.length[items]):
        of_rows = np.pad(rows, (0, block - len(rows)))
        ends = zip(*(facts.of(items[row]) for row in rows), strict=True)
        entities, relations = (_padded(arrays, block, room)[0] for arrays in ends)
        chosen = users[of_rows], items[of_rows], relations, entities
        found = _attributes(fold_in.score_attributes, prepared, representation, *chosen)
        for row, contributions in zip(rows, to_host(found), strict=False):
            results[row] = contributions[: facts.length[items[row]]]
    return results


def _fold_in(recommender: Recommender) -> FoldIn:
    assert recommender.fold_in is not None, "the model has no fold_in"
    return recommender.fold_in


@partial(jax.jit, static_argnums=(0, 1))
def _derivative(
    users_of: Callable[..., Representation],
    score_pairs: Callable[..., jax.Array],
    prepared: Any,
    representation: Representation,
    histories: jax.Array,
    weights: jax.Array,
    ids: jax.Array | None,
    items: jax.Array,
) -> jax.Array:
    """Computes the derivative of each pair's score by its history's weights, [B, m]."""

    def total(weights: jax.Array) -> jax.Array:
        folded = users_of(prepared, representation, histories, weights, ids)
        return score_pairs(folded, jnp.arange(items.shape[0]), items).sum()

    return jax.grad(total)(weights)


@partial(jax.jit, static_argnums=0)
def _attributes(attributes: Callable[..., jax.Array], *arguments: Any) -> jax.Array:
    return attributes(*arguments)


def _buckets(lengths: np.ndarray) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yields rows of similar length, the count per block, and the room for each; sizes are powers of 2."""
    room = np.where(lengths > 0, 1 << np.ceil(np.log2(np.maximum(lengths, 1))).astype(int), 1)
    for size in np.unique(room):
        rows = np.flatnonzero(room == size)
        block = int(min(max(1, _POSITIONS_PER_BLOCK // size), 1 << (len(rows) - 1).bit_length()))
        for first in range(0, len(rows), block):
            yield rows[first : first + block], block, int(size)


def _padded(arrays: Sequence[np.ndarray], block: int, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Pads the arrays to int32 [block, room]; also returns a mask, 1 for entries and 0 for padding."""
    values, mask = np.zeros((block, room), np.int32), np.zeros((block, room), np.float32)
    for k, array in enumerate(arrays):
        values[k, : len(array)] = array
        mask[k, : len(array)] = 1
    return values, mask
