"""All terms of a score that is a sum: what each item of the history adds by each part of the model."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa

from hkjax.models.base import FoldIn
from hkjax.serving.trained import TrainedModel


class Term(NamedTuple):
    """A term of a score.

    Attributes:
        part: the part of the model, such as a relation; empty where the model has only one.
        item: index of the history item; None for what does not depend on the history.
        contribution: to the score.
    """

    part: str
    item: int | None
    contribution: float


def score_terms(model: TrainedModel, item: int, history: np.ndarray) -> list[Term]:
    """Returns all terms but zeros of an item's score, the largest first; they add up to the score.

    Args:
        model: a model with `FoldIn.score_parts`.
        item: index of the item.
        history: indices of the history's items.
    """
    fold_in = model.recommender.fold_in
    assert fold_in is not None, "the model has no fold_in"
    assert fold_in.score_parts is not None, "the model's scores are no sums"
    prepared = jax.jit(fold_in.prepare)(model.params, model.recommender.inputs)
    # A history without an item has one of weight 0.
    items, weights = (np.pad(x, (0, max(0, 1 - len(history)))) for x in (history, np.ones(len(history), np.float32)))
    arguments = (prepared, model.representation, jnp.asarray(items, jnp.int32), jnp.asarray(weights), jnp.array([item]))
    slopes, constants = jax.device_get(_terms(fold_in, *arguments))
    terms = [
        Term(part, int(i), float(x))
        for part, of_items in slopes.items()
        for i, x in zip(history, of_items, strict=False)
        if x
    ]
    terms += [Term(part, None, float(x)) for part, x in constants.items() if x]
    return sorted(terms, key=lambda term: -abs(term.contribution))


@partial(jax.jit, static_argnums=0)
def _terms(
    fold_in: FoldIn, prepared: Any, representation: Any, items: jax.Array, weights: jax.Array, item: jax.Array
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Computes each part's derivative by the history's weights, [m], and its value without a history."""

    def parts(weights: jax.Array) -> dict[str, jax.Array]:
        folded = fold_in.encode_users(prepared, representation, items[None], weights[None], None)
        assert fold_in.score_parts is not None
        found = fold_in.score_parts(prepared, folded, jnp.zeros(1, jnp.int32), item)
        return {name: x[0] for name, x in found.items()}

    return jax.jacrev(parts)(weights), parts(jnp.zeros_like(weights))


def term_rows(model: TrainedModel, user: int, item: int, terms: list[Term]) -> pa.Table:
    """Converts terms to the columns of `hkjax.serving.reasons.reason_rows`; the kind is `history` or `popularity`."""
    names = model.data.names
    texts = {
        "user": [names.users[user]] * len(terms),
        "item": [names.items[item]] * len(terms),
        "kind": ["history" if term.item is not None else "popularity" for term in terms],
        "relation": [term.part if term.item is not None else "" for term in terms],
        "name": ["" if term.item is None else names.entities[term.item] for term in terms],
    }
    columns = {name: pa.array(column, pa.string()) for name, column in texts.items()}
    return pa.table({**columns, "contribution": pa.array([term.contribution for term in terms], pa.float32())})
