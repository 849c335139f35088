"""What is chosen where a person gives tables and no configuration: fields, sizes, and when to stop."""

from typing import Any

import numpy as np
from ml_collections import ConfigDict

from hkjax.data.dataset import Dataset
from hkjax.data.fields import attribute_fields
from hkjax.errors import InputError
from hkjax.experiment import default_config
from hkjax.models.registry import ModelConfig

# Steps of an epoch that batches are cut for, and bounds of the batch size, by model.
_STEPS_PER_EPOCH = 64
_BATCH_SIZES = {"hkrm": (64, 1024), "hakg": (64, 4096), "lightgcn": (64, 4096)}
_LEARNING_RATES = {"hkrm": 0.01, "hakg": 0.003, "lightgcn": 0.003}
_PATIENCE = {"hkrm": 5, "hakg": 10, "lightgcn": 10}
# A relation is a field if so many of the items have it; and no more relations than that are fields.
_LEAST_COVERAGE = 0.02
_MOST_FIELDS = 8


def tables_config(model: ModelConfig) -> ConfigDict:
    """The configuration of a person's tables, before the data are known: ranking, early stopping on recall@20."""
    config = default_config(model)
    config.data.format = "tables"
    config.data.split = "per_user"
    config.data.ratios = (8, 1, 1)
    config.training.monitor = "recall@20"
    config.training.epochs = 100
    config.training.patience = _PATIENCE[model.name]
    config.optimizer.learning_rate = _LEARNING_RATES[model.name]
    return config


def choose(model: ModelConfig, data: Dataset) -> dict[str, Any]:
    """What follows from the data, by the configuration's keys.

    Args:
        model: the model's configuration.
        data: the data set.

    Raises:
        InputError: HKRM needs fields, and no relation can be one.
    """
    low, high = _BATCH_SIZES[model.name]
    size = max(1, data.train.positives().users.size // _STEPS_PER_EPOCH)
    choices: dict[str, Any] = {"training.batch_size": int(np.clip(1 << (size.bit_length() - 1), low, high))}
    if model.name == "hakg":
        choices["model.negatives"] = max(1, min(model.negatives, data.n_items // 2))
    if model.name == "hkrm":
        choices["model.item_bias"] = True
        choices["data.fields"] = choose_fields(data)
    return choices


def choose_fields(data: Dataset) -> dict[str, tuple[str, ...]]:
    """The attribute fields: those of the data, then relations that many items have and whose values items share.

    A relation whose values are those of a chosen one, as its inverse's are, is left out.

    Raises:
        InputError: there is none.
    """
    chosen = {name: tuple(map(str, relations)) for name, relations in data.fields.items()}
    known = {_pairs(data, relation) for relations in chosen.values() for relation in relations}
    found = []
    for name in (name for relation in data.names.relations for name in (relation, f"~{relation}")):
        fields = attribute_fields(data.triples, data.n_items, {name: (name,)}, data.names.relations)
        items, values = len(np.unique(fields.item)), len(np.unique(fields.value))
        if items >= _LEAST_COVERAGE * data.n_items and 1 < values < len(fields.value):
            found.append((items, name))
    for _, name in sorted(found, key=lambda field: -field[0]):
        pairs = _pairs(data, name)
        if len(chosen) < _MOST_FIELDS and pairs not in known:
            known.add(pairs)
            chosen[name] = (name,)
    if not chosen:
        raise InputError("HKRM needs attribute fields: name an items table (--items=FILE) or data.fields")
    return chosen


def _pairs(data: Dataset, relation: str) -> bytes:
    """All (item, value) of a relation, by which two that say the same are known."""
    fields = attribute_fields(data.triples, data.n_items, {relation: (relation,)}, data.names.relations)
    return np.column_stack([fields.item, fields.entities[fields.value]]).tobytes()
