"""A search over a model's settings on the validation part, one key at a time, within a budget of seconds."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from hkjax.data.dataset import Dataset, Interactions
from hkjax.evaluation.ranking import rank_users
from hkjax.models.base import Params, Recommender

# Ranking this many users tells settings apart.
_MOST_USERS = 4096
_K = 20


class Trial(NamedTuple):
    """Settings that were tried.

    Attributes:
        settings: values by key.
        value: recall@20 + NDCG@20 on the validation part.
        seconds: that the trial took.
    """

    settings: dict[str, Any]
    value: float
    seconds: float


def fit_closed_form(recommender: Recommender, seed: int) -> Params:
    """Returns the parameters of a recommender that is not trained: initial ones, or the solution."""
    params = recommender.init(jax.random.key(seed))
    return params if recommender.solve is None else recommender.solve(params, recommender.inputs)


def search(
    build: Callable[[Mapping[str, Any]], Recommender],
    start: Mapping[str, Any],
    space: Mapping[str, Sequence[Any]],
    data: Dataset,
    seconds: float,
    seed: int = 0,
    tell: Callable[[Trial], None] = lambda trial: None,
) -> tuple[Trial, list[Trial]]:
    """Searches the settings with the highest recall@20 + NDCG@20 of validation users, key by key.

    From the best settings so far, a key's next and third next values up and down are tried, and on in the direction
    that helps.
    The search ends when a round over all keys brings nothing, or with the budget; the first settings are always tried.

    Args:
        build: (settings) -> a recommender that is solved, not trained.
        start: the first settings.
        space: ascending values to choose among, by key.
        data: the data set; test rows are not read.
        seconds: the budget.
        seed: of the sample of users.
        tell: called after each trial.

    Returns:
        The best trial, and all of them in order.
    """
    end, tried = time.perf_counter() + seconds, dict[tuple[Any, ...], Trial]()

    def attempt(settings: Mapping[str, Any]) -> Trial:
        key = tuple(sorted(settings.items()))
        if key not in tried:
            begin = time.perf_counter()
            value = validation_value(build(settings), data, seed)
            tried[key] = Trial(dict(settings), value, time.perf_counter() - begin)
            tell(tried[key])
        return tried[key]

    best = attempt(start)
    while True:
        before = best.value
        for (key, values), direction in itertools.product(space.items(), (1, -1, 3, -3)):
            while (settings := _stepped(best.settings, key, values, direction)) is not None:
                if time.perf_counter() >= end:
                    return best, list(tried.values())
                trial = attempt(settings)
                if trial.value <= best.value:
                    break
                best = trial
        if best.value <= before:
            return best, list(tried.values())


def _stepped(settings: Mapping[str, Any], key: str, values: Sequence[Any], direction: int) -> dict[str, Any] | None:
    """Returns the settings with the next value of a key; None past the last one."""
    place = min(range(len(values)), key=lambda k: abs(values[k] - settings[key])) + direction
    return {**settings, key: values[place]} if 0 <= place < len(values) else None


def _sample(data: Dataset, seed: int) -> Interactions:
    relevant = data.validation.positives()
    users = np.unique(relevant.users)
    if len(users) > _MOST_USERS:
        users = np.random.default_rng(seed).choice(users, _MOST_USERS, replace=False)
    return relevant.select(np.isin(relevant.users, users))


def validation_value(recommender: Recommender, data: Dataset, seed: int) -> float:
    """Computes recall@20 + NDCG@20 of a sample of validation users, for a recommender that is solved."""
    relevant = _sample(data, seed)
    params = fit_closed_form(recommender, seed)
    representation = jax.jit(recommender.encode)(params, recommender.inputs)
    metrics = rank_users(recommender, representation, data.n_items, relevant, data.seen("train"), (_K,)).metrics
    return float(metrics[f"recall@{_K}"].mean() + metrics[f"ndcg@{_K}"].mean())
