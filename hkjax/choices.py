"""Settings for a person's tables, where no configuration is given: sizes, rates, and when to stop."""

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from hkjax.data.dataset import Dataset
from hkjax.errors import InputError, nearest
from hkjax.experiment import Experiment, default_config, read_experiment
from hkjax.models.registry import MODELS, ModelConfig

# Steps of an epoch that batches are cut for.
_STEPS_PER_EPOCH = 64

Adapt = Callable[[Experiment, Dataset], tuple[Experiment, Dataset]]


def _silent(experiment: Experiment, chosen: dict[str, Any]) -> None:
    """Announces nothing."""


def tables_config(model: ModelConfig) -> ConfigDict:
    """Returns the configuration before the data are known: ranking, early stopping on recall@20."""
    config, defaults = default_config(model), MODELS[type(model)].tables
    config.data.format = "tables"
    config.data.split = "per_user"
    config.data.ratios = (8, 1, 1)
    config.training.monitor = "recall@20"
    config.training.epochs = 100
    config.training.patience = defaults.patience
    config.optimizer.learning_rate = defaults.learning_rate
    return config


def choose(model: ModelConfig, data: Dataset) -> dict[str, Any]:
    """Returns the settings that follow from the data, by the configuration's keys.

    Args:
        model: the model's configuration.
        data: the data set.

    Raises:
        InputError: the data lack what the model needs, such as attribute fields.
    """
    defaults = MODELS[type(model)].tables
    size = max(1, data.train.positives().users.size // _STEPS_PER_EPOCH)
    batch_size = int(np.clip(1 << (size.bit_length() - 1), *defaults.batch_sizes))
    return {"training.batch_size": batch_size, **defaults.choose(model, data)}


def adapter(
    config: Mapping[str, Any], given: Collection[str], announce: Callable[[Experiment, dict[str, Any]], None] = _silent
) -> Adapt:
    """Returns (experiment, data) -> both, after what `choose` adds to a configuration of tables.

    Args:
        config: the whole configuration, before the data are known.
        given: keys that a person has set, which stand.
        announce: called with the experiment and what was chosen.
    """

    def adapt(experiment: Experiment, data: Dataset) -> tuple[Experiment, Dataset]:
        chosen = {key: value for key, value in choose(experiment.model, data).items() if key not in given}
        adapted = read_experiment(override(config, chosen))
        sources = dataclasses.replace(adapted.data, format=experiment.data.format, tables=experiment.data.tables)
        adapted = dataclasses.replace(adapted, data=sources)
        announce(adapted, chosen)
        return adapted, dataclasses.replace(data, fields=adapted.data.fields or data.fields)

    return adapt


def override(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of a nested configuration, with values at dotted keys.

    Raises:
        InputError: a key leads through no part of the configuration.
    """
    copy: dict[str, Any] = json.loads(json.dumps(config))
    for key, value in values.items():
        *branches, leaf = key.split(".")
        branch = copy
        for name in branches:
            if not isinstance(branch.get(name), dict):
                raise InputError(f"config.{key}: unknown key{nearest(name, branch)}")
            branch = branch[name]
        branch[leaf] = value.item() if isinstance(value, np.generic) else value
    return copy
