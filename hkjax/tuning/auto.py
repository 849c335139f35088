"""The choice of a model for a data set on its validation part, and what the graph and the tuning brought there."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.evaluation.search import validation_value
from hkjax.models.linear.config import EASEConfig, EDLAEConfig, IALSConfig, ItemKNNConfig, RP3betaConfig, SLIMConfig
from hkjax.models.link.config import LINKConfig
from hkjax.models.registry import MODELS, ModelConfig
from hkjax.tuning.settings import Tuned, adapted, tune

# LINK takes this share of the time, and the others what is left, in this order.
_SHARE_OF_LINK = 0.6
_OTHERS: tuple[ModelConfig, ...] = (
    ItemKNNConfig(),
    EASEConfig(),
    EDLAEConfig(),
    IALSConfig(),
    RP3betaConfig(),
    SLIMConfig(),
)


class Candidate(NamedTuple):
    """A model that was tried.

    Attributes:
        title: its name in sentences.
        value: the best recall@20 + NDCG@20 on the validation part.
        trials: settings that were tried.
        config: the best configuration.
    """

    title: str
    value: float
    trials: int
    config: ModelConfig


class Choice(NamedTuple):
    """The model chosen for a data set.

    Attributes:
        tuned: the best model's settings, and its parts.
        candidates: all models that were tried, in order.
        shuffled: the value of the best model with the tails of each relation shuffled; None where it reads no graph.
        plain_knn: the value of ItemKNN as it comes.
    """

    tuned: Tuned
    candidates: list[Candidate]
    shuffled: float | None
    plain_knn: float


def choose_model(
    data: Dataset, seconds: float, seed: int = 0, tell: Callable[[Candidate], None] = lambda candidate: None
) -> Choice:
    """Tunes LINK and other models in closed form on the validation part, and returns the best.

    Args:
        data: the data set; its test part is not read.
        seconds: the budget of all searches; trials under way are finished.
        seed: of initial parameters and samples.
        tell: called after each model.
    """
    best, candidates = None, []
    for config in (LINKConfig(), *_OTHERS):
        is_link = isinstance(config, LINKConfig)
        share = _SHARE_OF_LINK * seconds if is_link else (1 - _SHARE_OF_LINK) * seconds / len(_OTHERS)
        tuned = tune(adapted(config, data), data, share, seed)
        candidates.append(Candidate(MODELS[type(config)].title, tuned.value, len(tuned.trials), tuned.config))
        tell(candidates[-1])
        if best is None or tuned.value > best.value:
            best = tuned
    assert best is not None
    shuffled = None
    if getattr(best.config, "content", {}):
        shuffled = _value(best.config, shuffle_tails(data, seed), seed)
    return Choice(best, candidates, shuffled, _value(adapted(ItemKNNConfig(), data), data, seed))


def shuffle_tails(data: Dataset, seed: int) -> Dataset:
    """Permutes the tails within each relation: a graph of the same counts that tells nothing."""
    random, triples = np.random.default_rng(seed), data.triples.copy()
    for relation in np.unique(triples[:, 1]):
        rows = np.flatnonzero(triples[:, 1] == relation)
        triples[rows, 2] = triples[random.permutation(rows), 2]
    return dataclasses.replace(data, triples=np.unique(triples, axis=0))


def _value(config: ModelConfig, data: Dataset, seed: int) -> float:
    return validation_value(MODELS[type(config)].build(config, data, 0), data, seed)
