"""LINK as a recommender: neighbourhoods, regressions, attributes and popularity, in one raw sum."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.models.base import FoldIn, Params, Recommender, nothing_to_train
from hkjax.models.linear.ease import local_neighbours
from hkjax.models.linear.gram import Gram, histories, remembered_gram
from hkjax.models.linear.memory import Remember, compute_anew
from hkjax.models.linear.neighbours import knn_neighbours
from hkjax.models.link.config import LINKConfig
from hkjax.models.link.content import Content, cosine_sums, fact_columns, fact_sums, item_cosines, make_content
from hkjax.ops.lists import (
    Lists,
    Neighbours,
    dense_rows,
    neighbour_scores,
    neighbour_sums,
    padded_lists,
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
        bias: q d, [items].
    """

    history: Lists
    neighbours: dict[str, Neighbours]
    by_source: dict[str, Lists]
    content: Content
    content_weights: jax.Array
    bias: jax.Array


def link(config: LINKConfig, data: Dataset, batch_size: int = 0, remember: Remember = compute_anew) -> Recommender:
    """Builds LINK from the positives of train and the triples.

    Args:
        config: the choices.
        data: the interactions and the triples.
        batch_size: counts for nothing.
        remember: keeps Gram matrices and tables while settings are searched.

    Raises:
        InputError: a relation of `content` is unknown.
    """
    del batch_size
    positives, relations = data.train.positives(), tuple(config.content)
    inputs: dict[str, Any] = {
        "history": histories(data),
        "content": remember(("content", relations), lambda: make_content(data, relations)),
        "content_weights": jnp.array([config.content[name] for name in relations], jnp.float32),
        "popularity": jnp.array(config.popularity),
    }
    tables: dict[str, Callable[[], Neighbours]] = {}
    sizes = {"co_occurrence": config.neighbours, "regression": config.candidates}
    for name, weight in (("co_occurrence", config.co_occurrence), ("regression", config.regression)):
        if weight:
            power, numbers = _numbers(config, name)
            gram = remembered_gram(remember, data, power)
            inputs[name] = {"gram": gram, "numbers": jnp.array(numbers), "weight": jnp.array(weight)}
            key = (name, power, numbers, sizes[name])
            compute = partial(_SOLVE[name], gram, inputs[name]["numbers"], k=sizes[name])
            tables[name] = partial(remember, key, compute)

    attributes = None
    if relations:
        columns = remember(("columns", relations), lambda: fact_columns(data, relations, inputs["content"]))
        attributes = partial(score_attributes, columns)

    def init(key: jax.Array) -> Params:
        del key
        empty = {}
        for name in tables:
            shape = (data.n_items, min(sizes[name], data.n_items))
            empty[name] = Neighbours(jnp.full(shape, data.n_items, jnp.int32), jnp.zeros(shape))._asdict()
        # An empty array can't be saved.
        content = {"content": jnp.zeros(len(relations))} if relations else {}
        return {**empty, **content, "bias": jnp.zeros(data.n_items)}

    return Recommender(
        inputs=inputs,
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, max(1, len(positives.users))),
        init=init,
        loss=nothing_to_train,
        encode=encode,
        score_pairs=score_pairs,
        score_all_items=score_all_items,
        fold_in=FoldIn(prepare, encode_users, score_attributes=attributes, score_parts=partial(score_parts, relations)),
        row_ids={"item": data.names.items},
        solve=partial(_solve, tables),
    )


def encode(params: Params, inputs: dict[str, Any]) -> LINKScores:
    """Puts the weights beside the histories and the attributes."""
    tables = {name: Neighbours(**params[name]) for name in params if name not in ("content", "bias")}
    weights = params.get("content", jnp.zeros(0))
    by_source = {name: targets_of_sources(table) for name, table in tables.items()}
    return LINKScores(inputs["history"], tables, by_source, inputs["content"], weights, params["bias"])


@full_precision
def score_all_items(x: LINKScores, users: jax.Array) -> jax.Array:
    """Sums all parts for every item, [B, items]."""
    rows = dense_rows(x.history, users, x.bias.size)
    total = cosine_sums(x.content, x.content_weights, rows) + x.bias
    for name, table in x.neighbours.items():
        total += neighbour_sums(table, x.by_source[name], x.history, users)
    return total


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
        return {**found, "content": item_cosines(x.content, row[0], item) @ weights, "popularity": x.bias[item]}

    found = jax.lax.map(parts, (users, items), batch_size=_PAIRS_PER_BLOCK)
    return {**found, "content": found["content"][:, 0]} if one_content else found


def prepare(params: Params, inputs: dict[str, Any]) -> None:
    """Prepares nothing: a history is all that the scores need."""


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
        return fact_sums(x.content, x.content_weights, row, item, places)

    return jax.lax.map(of_pair, (users, items, places), batch_size=_PAIRS_PER_BLOCK)


def encode_users(
    prepared: None, x: LINKScores, items: jax.Array, weights: jax.Array, ids: jax.Array | None
) -> LINKScores:
    """Implements `FoldIn.encode_users`: the given histories instead of the trained users'."""
    del prepared, ids
    return x._replace(history=padded_lists(items, weights))


def _numbers(config: LINKConfig, part: str) -> tuple[float, tuple[float, ...]]:
    """Returns the power of the users in a part's Gram matrix, and the part's further settings."""
    if part == "co_occurrence":
        return config.user_power, (config.alpha, config.shrinkage)
    return 2 * config.regression_user_power, (config.l2, config.dropout, config.item_power, config.target_power)


def _solve(tables: dict[str, Callable[[], Neighbours]], params: Params, inputs: dict[str, Any]) -> Params:
    found: dict[str, Any] = {"content": inputs["content_weights"]} if "content" in params else {}
    for name, solve in tables.items():
        sources, weights = solve()
        found[name] = Neighbours(sources, inputs[name]["weight"] * weights)._asdict()
    history = inputs["history"]
    degree = jnp.bincount(history.values, history.weights, length=len(params["bias"]))
    return {**found, "bias": inputs["popularity"] * degree}


@partial(jax.jit, static_argnames="k")
def _co_occurrence(gram: Gram, numbers: jax.Array, k: int) -> Neighbours:
    return knn_neighbours(gram, k, *numbers)


@partial(jax.jit, static_argnames="k")
@full_precision
def _regression(gram: Gram, numbers: jax.Array, k: int) -> Neighbours:
    return local_neighbours(gram, k, *numbers)


_SOLVE = {"co_occurrence": _co_occurrence, "regression": _regression}
