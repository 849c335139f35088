"""LINK as a recommender: neighbourhoods, regressions, attributes and popularity, in one raw sum."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.errors import InputError
from hkjax.models.base import Batch, FoldIn, Metrics, Params, Recommender, nothing_to_train
from hkjax.models.linear.ease import MOST_FOR_DENSE, local_neighbours, whole_neighbours
from hkjax.models.linear.gram import Gram, histories, remembered_gram
from hkjax.models.linear.memory import Remember, compute_anew
from hkjax.models.linear.model import encode_users, prepare
from hkjax.models.linear.neighbours import knn_neighbours
from hkjax.models.link.autoencoder import (
    autoencoder_loss,
    init_autoencoder,
    make_sampler,
    users_to_learn_from,
)
from hkjax.models.link.cold import borrow_weights, nearest_known
from hkjax.models.link.config import LINKConfig
from hkjax.models.link.content import fact_columns, make_content
from hkjax.models.link.scores import (
    encode,
    score_all_items,
    score_attributes,
    score_pairs,
    score_parts,
)
from hkjax.ops.lists import Neighbours
from hkjax.precision import full_precision

# Weights kept of a regression on all items.
_KEPT_OF_ALL = 1000


def link(config: LINKConfig, data: Dataset, batch_size: int = 0, remember: Remember = compute_anew) -> Recommender:
    """Builds LINK from the positives of train and the triples.

    Args:
        config: the choices.
        data: the interactions and the triples.
        batch_size: users in a step of the learned part.
        remember: keeps Gram matrices and tables while settings are searched.

    Raises:
        InputError: a relation of `content` is unknown.
    """
    positives, relations = data.train.positives(), tuple(config.content)
    degree = np.bincount(positives.items, minlength=data.n_items)
    inputs: dict[str, Any] = {
        "history": histories(data),
        "content": remember(("content", relations), lambda: make_content(data, relations)),
        "content_weights": jnp.array([config.content[name] for name in relations], jnp.float32),
        "popularity": jnp.array(config.popularity),
        "gate": jnp.array(config.gate),
        "degree": jnp.asarray(degree, jnp.float32),
        "content_scale": jnp.where(jnp.asarray(degree > 0), 1.0, config.cold_content),
    }
    # Without a learned part all examples are one batch, which is solved.
    examples: dict[str, Any] = {"user": positives.users, "item": positives.items}
    if config.gate:
        inputs["sampler"] = make_sampler(data, config.negative_power)
        examples = users_to_learn_from(data)
    tables: dict[str, Callable[[], Neighbours]] = {}
    whole = not config.candidates
    sizes = {"co_occurrence": config.neighbours, "regression": config.candidates or _KEPT_OF_ALL}
    if config.regression and whole and data.n_items > MOST_FOR_DENSE:
        raise InputError(f"model.candidates: 0 takes a dense matrix of {data.n_items:,} rows; choose e.g. 100")
    solutions = {"co_occurrence": _co_occurrence, "regression": _whole_regression if whole else _regression}
    for name, weight in (("co_occurrence", config.co_occurrence), ("regression", config.regression)):
        if weight:
            power, numbers = _numbers(config, name)
            inputs[f"{name}_weight"] = jnp.array(weight)
            solution = partial(solutions[name], numbers=jnp.array(numbers), k=min(sizes[name], data.n_items))
            key = (name, whole, power, numbers, sizes[name])
            tables[name] = partial(remember, key, partial(_of_gram, solution, remember, data, power))

    attributes = None
    if relations:
        columns = remember(("columns", relations), lambda: fact_columns(data, relations, inputs["content"]))
        attributes = partial(score_attributes, columns)

    def init(key: jax.Array) -> Params:
        empty = {}
        for name in tables:
            shape = (data.n_items, min(sizes[name], data.n_items))
            empty[name] = Neighbours(jnp.full(shape, data.n_items, jnp.int32), jnp.zeros(shape))._asdict()
        # An empty array can't be saved.
        content = {"content": jnp.zeros(len(relations))} if relations else {}
        learned = {"learned": init_autoencoder(key, data.n_items, config.dim)} if config.gate else {}
        return {**empty, **content, **learned, "bias": jnp.zeros(data.n_items)}

    def loss(params: Params, inputs: dict[str, Any], batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        history, sampler = inputs["history"], inputs["sampler"]
        sizes = config.room, config.negatives
        value = autoencoder_loss(params["learned"], history, sampler, batch, key, *sizes)
        return value, {"loss": value}

    return Recommender(
        inputs=inputs,
        batches=bucket_by_length(examples, batch_size if config.gate else max(1, len(positives.users))),
        init=init,
        loss=loss if config.gate else nothing_to_train,
        encode=encode,
        score_pairs=score_pairs,
        score_all_items=score_all_items,
        fold_in=FoldIn(prepare, encode_users, score_attributes=attributes, score_parts=partial(score_parts, relations)),
        row_ids={"item": data.names.items},
        solve=partial(_solve, config.cold_neighbours, tables),
        trained=("learned",) if config.gate else (),
    )


def _numbers(config: LINKConfig, part: str) -> tuple[float, tuple[float, ...]]:
    """Returns the power of the users in a part's Gram matrix, and the part's further settings."""
    if part == "co_occurrence":
        return config.user_power, (config.alpha, config.shrinkage)
    return 2 * config.regression_user_power, (config.l2, config.dropout, config.item_power, config.target_power)


def _of_gram(solution: Callable[[Gram], Neighbours], remember: Remember, data: Dataset, power: float) -> Neighbours:
    """Solves; the Gram matrix is counted only now, since a trained model needs none."""
    return solution(remembered_gram(remember, data, power))


def _solve(share: float, tables: dict[str, Callable[[], Neighbours]], params: Params, inputs: dict[str, Any]) -> Params:
    degree = np.asarray(inputs["degree"])
    nearest = nearest_known(inputs["content"], np.asarray(inputs["content_weights"]), degree)
    found: dict[str, Any] = {"content": inputs["content_weights"]} if "content" in params else {}
    for name, solve in tables.items():
        sources, weights = solve()
        table = Neighbours(sources, inputs[f"{name}_weight"] * weights)
        if name == "co_occurrence":
            table = borrow_weights(table, nearest, share)
        found[name] = table._asdict()
    degree = degree + share * (nearest @ degree)
    return {**params, **found, "bias": inputs["popularity"] * degree}


@partial(jax.jit, static_argnames="k")
def _co_occurrence(gram: Gram, numbers: jax.Array, k: int) -> Neighbours:
    return knn_neighbours(gram, k, *numbers)


@partial(jax.jit, static_argnames="k")
@full_precision
def _regression(gram: Gram, numbers: jax.Array, k: int) -> Neighbours:
    return local_neighbours(gram, k, *numbers)


@partial(jax.jit, static_argnames="k")
@full_precision
def _whole_regression(gram: Gram, numbers: jax.Array, k: int) -> Neighbours:
    return whole_neighbours(gram, k, *numbers)
