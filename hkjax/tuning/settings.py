"""A model's settings chosen on the validation part of a data set, and what each of its parts brings there."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hkjax.data.dataset import Dataset
from hkjax.evaluation.search import Trial, search, validation_value
from hkjax.models.base import Recommender
from hkjax.models.linear.memory import remember_last
from hkjax.models.registry import MODELS, ModelConfig

# Two Gram matrices, their tables and the attributes.
_KEPT = 6


class Part(NamedTuple):
    """A part of a model that is a sum.

    Attributes:
        name: its key.
        weight: its weight.
        without: the validation value without it, all else equal.
    """

    name: str
    weight: float
    without: float


class Tuned(NamedTuple):
    """The outcome of a search.

    Attributes:
        config: the best configuration, without entries of 0.
        value: its recall@20 + NDCG@20 on the validation part.
        trials: all trials, in order.
        parts: the model's parts of positive weight, where it is a sum of several.
    """

    config: ModelConfig
    value: float
    trials: list[Trial]
    parts: list[Part]


def tune(
    config: ModelConfig,
    data: Dataset,
    seconds: float,
    seed: int = 0,
    tell: Callable[[Trial], None] = lambda trial: None,
) -> Tuned:
    """Chooses a model's settings on the validation part, by `hkjax.evaluation.search.search`.

    Args:
        config: where to start, of a model with a `space` in the registry.
        data: the data set; its test part is not read.
        seconds: the budget; a trial under way is finished.
        seed: of the initial parameters and the sample of users.
        tell: called after each trial.
    """
    model = MODELS[type(config)]
    remember, starts = remember_last(_KEPT), model.starts(config, data)
    end = time.perf_counter() + seconds
    if seconds and len(starts) > 1:
        values = [validation_value(model.build(start, data, 0, remember), data, seed) for start in starts]
        config = starts[values.index(max(values))]
    space = model.space(config, data)

    def build(settings: Mapping[str, Any]) -> Recommender:
        return model.build(with_settings(config, settings), data, 0, remember)

    best, trials = search(
        build, {key: _value(config, key) for key in space}, space, data, end - time.perf_counter(), seed, tell
    )
    # A weight that may be 0 and is positive is a part.
    weights = {key: best.settings[key] for key in model.parts(config, data) if best.settings.get(key, 0) > 0}
    parts = []
    for key, weight in weights.items() if len(weights) > 1 else ():
        without = validation_value(build({**best.settings, key: 0.0}), data, seed)
        parts.append(Part(key, weight, without))
    kept = {key: value for key, value in best.settings.items() if value or "." not in key}
    mappings = [field.name for field in dataclasses.fields(config) if isinstance(getattr(config, field.name), dict)]
    chosen = with_settings(with_settings(config, {name: {} for name in mappings}), kept)
    return Tuned(chosen, best.value, trials, parts)


def with_settings(config: ModelConfig, settings: Mapping[str, Any]) -> ModelConfig:
    """Returns a model's configuration with other values of some keys; KEY.NAME is an entry of a mapping."""
    changes: dict[str, Any] = {}
    for key, value in settings.items():
        name, dot, entry = key.partition(".")
        if dot:
            changes[name] = {**changes.get(name, getattr(config, name)), entry: value}
        else:
            changes[name] = value
    return dataclasses.replace(config, **changes)


def adapted(config: ModelConfig, data: Dataset) -> ModelConfig:
    """Returns the configuration with what follows from the data's size; without a search of its own."""
    chosen = MODELS[type(config)].tables.choose(config, data)
    settings = {key.removeprefix("model."): value for key, value in chosen.items() if key.startswith("model.")}
    settings.pop("search", None)
    return with_settings(config, settings)


def _value(config: ModelConfig, key: str) -> Any:
    name, dot, entry = key.partition(".")
    return getattr(config, name).get(entry, 0.0) if dot else getattr(config, name)
