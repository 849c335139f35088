"""Rivals of a model in its report: baselines without choices, and linear models that are tuned and fitted as it is."""

import dataclasses
from typing import Any

from hkjax.data.dataset import Dataset
from hkjax.data.splits import per_user_split
from hkjax.evaluation.evaluate import Rival
from hkjax.evaluation.search import fit_closed_form
from hkjax.models.registry import BASELINES, MODELS, RIVALS, ModelConfig
from hkjax.tuning.settings import adapted, tune


def fit_rivals(data: Dataset, seconds: float, seed: int, own: str = "") -> dict[str, Rival]:
    """Fits what a model is compared with.

    Args:
        data: the data set; test rows are not read.
        seconds: budget of all searches on the validation part together; 0 keeps the models' defaults. Where the
            validation part is empty, a tenth of each user's train rows serves in the searches.
        seed: of initial parameters and samples.
        own: name of the model itself, which is left out.
    """
    found = {}
    for name, baseline in BASELINES.items():
        if name != own and (recommender := baseline.build(data)) is not None:
            found[name] = Rival(baseline.title, recommender, fit_closed_form(recommender, seed))
    held_out = _with_validation(data, seed)
    rivals = [config for config in RIVALS if config.name != own]
    for config in rivals:
        model = MODELS[type(config)]
        start = adapted(config, data)
        if seconds and held_out is not None:
            start = tune(start, held_out, seconds / len(rivals), seed).config
        recommender = model.build(start, data, 0)
        params = fit_closed_form(recommender, seed)
        found[config.name] = Rival(model.title, recommender, params, model.ranks_only, _command(start))
    return found


def _with_validation(data: Dataset, seed: int) -> Dataset | None:
    """Returns the data set, or where its validation part is empty one with a tenth of train; None without either."""
    if data.validation.positives().users.size and not data.validates_on_test:
        return data
    train = data.train.positives()
    kept, held_out = per_user_split(train.users, (9, 1), seed)
    if not len(held_out):
        return None
    return dataclasses.replace(data, train=train.select(kept), validation=train.select(held_out))


def _command(config: ModelConfig) -> str:
    """Returns the flags that train a model with these settings."""
    default, flags = type(config)(), [f"--model={config.name}"]
    for field in dataclasses.fields(config):
        value: Any = getattr(config, field.name)
        if value != getattr(default, field.name):
            flags.append(f"--config.model.{field.name}={value}")
    return " ".join(flags)
