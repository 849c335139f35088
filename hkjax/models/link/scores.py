"""LINK's scores: the sum of its parts for all items, for pairs, and part by part."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hkjax.models.base import Params
from hkjax.models.link.autoencoder import product_sum, product_sums
from hkjax.models.link.content import Content, cosine_sums, fact_sums, item_cosines
from hkjax.ops.lists import (
    Lists,
    Neighbours,
    dense_rows,
    neighbour_scores,
    neighbour_sums,
    targets_of_sources,
)
from hkjax.precision import full_precision

_PAIRS_PER_BLOCK = 128


class LINKScores(NamedTuple):
    """The histories and the weights that scores are sums of.

    Attributes:
        history: the items of each user.
        neighbours: W without attributes, as tables of weights by name: `co_occurrence`, `regression`.
        by_source: the same tables by source.
        content: the attributes of the items.
        content_weights: w, [relations].
        content_scale: the factor of an item's content, [items].
        bias: q d, [items].
        learned: the autoencoder's parameters; None without it.
        gate: its weight.
    """

    history: Lists
    neighbours: dict[str, Neighbours]
    by_source: dict[str, Lists]
    content: Content
    content_weights: jax.Array
    content_scale: jax.Array
    bias: jax.Array
    learned: dict[str, jax.Array] | None
    gate: jax.Array


def encode(params: Params, inputs: dict[str, Any]) -> LINKScores:
    """Puts the weights beside the histories and the attributes."""
    tables = {name: Neighbours(**params[name]) for name in ("co_occurrence", "regression") if name in params}
    weights = params.get("content", jnp.zeros(0))
    by_source = {name: targets_of_sources(table) for name, table in tables.items()}
    return LINKScores(
        inputs["history"],
        tables,
        by_source,
        inputs["content"],
        weights,
        inputs["content_scale"],
        params["bias"],
        params.get("learned"),
        inputs["gate"],
    )


@full_precision
def score_all_items(x: LINKScores, users: jax.Array) -> jax.Array:
    """Sums all parts for every item, [B, items]."""
    rows = dense_rows(x.history, users, x.bias.size)
    total = cosine_sums(x.content, x.content_weights, rows) * x.content_scale + x.bias
    for name, table in x.neighbours.items():
        total += neighbour_sums(table, x.by_source[name], x.history, users)
    return total if x.learned is None else total + x.gate * product_sums(x.learned, x.history, users)


def score_pairs(x: LINKScores, users: jax.Array, items: jax.Array) -> jax.Array:
    """Sums all parts for one item of each user, [B]."""
    return sum(_parts(x, users, items, one_content=True).values())  # type: ignore[return-value]


def score_parts(
    relations: tuple[str, ...], prepared: None, x: LINKScores, users: jax.Array, items: jax.Array
) -> dict[str, jax.Array]:
    """Implements `FoldIn.score_parts`: a table of weights each, each relation's attributes, and popularity."""
    del prepared
    parts = _parts(x, users, items, one_content=False)
    content = parts.pop("content")
    return {**parts, **{name: content[:, k] for k, name in enumerate(relations)}}


@full_precision
def _parts(x: LINKScores, users: jax.Array, items: jax.Array, one_content: bool) -> dict[str, jax.Array]:
    """Computes the parts of scores, [B] each; `content` as one sum, or by relation [B, relations]."""
    weights = x.content_weights[:, None] if one_content else jnp.diag(x.content_weights)

    def parts(pair: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
        row, item = dense_rows(x.history, pair[0][None], x.bias.size), pair[1]
        found = {name: neighbour_scores(table, row, item[None])[0] for name, table in x.neighbours.items()}
        if x.learned is not None:
            found["learned"] = x.gate * product_sum(x.learned, x.history, pair[0], item)
        content = x.content_scale[item] * item_cosines(x.content, row[0], item) @ weights
        return {**found, "content": content, "popularity": x.bias[item]}

    found = jax.lax.map(parts, (users, items), batch_size=_PAIRS_PER_BLOCK)
    return {**found, "content": found["content"][:, 0]} if one_content else found


def score_attributes(
    columns: jax.Array,
    prepared: None,
    x: LINKScores,
    users: jax.Array,
    items: jax.Array,
    relations: jax.Array,
    entities: jax.Array,
) -> jax.Array:
    """Implements `FoldIn.score_attributes`: w_r A_je sum_i X_ui A_ie, without the item's own part."""
    del prepared
    places = columns[relations, entities]

    def of_pair(pair: tuple[jax.Array, ...]) -> jax.Array:
        user, item, places = pair
        row = dense_rows(x.history, user[None], x.bias.size)[0]
        return x.content_scale[item] * fact_sums(x.content, x.content_weights, row, item, places)

    return jax.lax.map(of_pair, (users, items, places), batch_size=_PAIRS_PER_BLOCK)
