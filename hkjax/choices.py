"""Settings for a person's tables, where no configuration is given: sizes, rates, and when to stop."""

from typing import Any

import numpy as np
from ml_collections import ConfigDict

from hkjax.data.dataset import Dataset
from hkjax.experiment import default_config
from hkjax.models.registry import MODELS, ModelConfig

# Steps of an epoch that batches are cut for.
_STEPS_PER_EPOCH = 64


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
