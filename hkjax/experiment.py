"""One experiment: its whole configuration, its data and its model."""

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from ml_collections import ConfigDict

from hkjax.config import build, to_config_dict
from hkjax.data.config import DataConfig
from hkjax.data.dataset import Dataset, continue_split, fingerprint
from hkjax.data.negatives import draw_negatives
from hkjax.data.prepared import DamagedDataError, changed_sources, is_prepared, load_dataset, save_dataset
from hkjax.data.read import read_dataset, source_files
from hkjax.data.synthetic import SyntheticConfig, synthetic_dataset
from hkjax.errors import InputError
from hkjax.evaluation.evaluate import EvaluationConfig
from hkjax.models.base import Recommender
from hkjax.models.registry import MODELS, ModelConfig
from hkjax.ranges import Checked, Range
from hkjax.training.hosts import is_first
from hkjax.training.loop import TrainingConfig
from hkjax.training.saving.workdir import check_data, read_config
from hkjax.training.state import OptimizerConfig
from hkjax.training.trainer import Parallel


@dataclass(frozen=True)
class Experiment(Checked):
    """Everything that a run depends on.

    Attributes:
        seed: 32 bits; seed of the split, the initialisation, the batches and the bootstrap.
        data: where the data come from.
        synthetic: the generated data, where `data.format` is `synthetic`.
        model: the model and its choices.
        optimizer: the optimizer.
        training: length and batches of training.
        evaluation: the measurements.
        mesh: counts of devices (data, rows). Batches and edges are divided among all of them. Embedding
            tables and their moments are divided by rows over the second count and replicated over the
            first. -1 stands for all that are left: (-1, 1) replicates tables, (1, -1) shards them.
        parallel: the way to run a step on several devices, `pmap` or `shard_map`; sharded tables and several
            processes need the latter and get it.
    """

    seed: Annotated[int, Range(low=0, below=2**32)] = 0
    data: DataConfig = field(default_factory=DataConfig)
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    model: ModelConfig = field(default_factory=next(iter(MODELS)))
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    mesh: tuple[int, int] = (-1, 1)
    parallel: Parallel = "pmap"


def default_config(model: ModelConfig | None = None) -> ConfigDict:
    """Returns every setting with its default, locked against unknown keys, for a config file to change."""
    config = to_config_dict(Experiment() if model is None else Experiment(model=model))
    config.data.fields = ConfigDict(convert_dict=False)
    config.data.tables.columns = ConfigDict(convert_dict=False)
    return config.lock()


def ranking_config(model: ModelConfig, data: str) -> ConfigDict:
    """Returns `default_config` for data in KGAT's layout below $HKJAX_DATA; a tenth of the train items validates."""
    config = default_config(model)
    config.data.format = "kgat"
    config.data.path = data_folder(data)
    config.data.ratios = (9, 1)
    config.training.monitor = "recall@20"
    return config


def read_experiment(config: Mapping[str, Any]) -> Experiment:
    """Checks a configuration; see `hkjax.config.build` for its errors."""
    return build(Experiment, config)


def read_data(experiment: Experiment) -> Dataset:
    """Reads or generates the experiment's data set, with negatives if its model needs them and there are none.

    Where training starts from an earlier run's parameters, that run's train rows are in train.
    """
    if experiment.data.format == "synthetic":
        data = synthetic_dataset(experiment.synthetic, experiment.data, experiment.seed)
    else:
        data = read_dataset(experiment.data, experiment.seed)
    return prepare_for(experiment, data)


def prepare_for(experiment: Experiment, data: Dataset) -> Dataset:
    """Draws negatives if the experiment's model learns from them; keeps in train what an earlier run was trained on.

    Raises:
        InputError: the earlier run was trained on all rows of a part.
    """
    if experiment.training.initialize_from:
        earlier = Path(experiment.training.initialize_from)
        data = continue_split(data, data_of_run(read_experiment(read_config(earlier)), earlier))
        if not min(part.users.size for part in (data.validation, data.test)):
            raise InputError(f"initialize_from: {earlier} was trained on all rows of today's validation or test part")
    needs_negatives = MODELS[type(experiment.model)].learns_from_negatives
    return draw_negatives(data, experiment.seed) if needs_negatives and data.train.labels.all() else data


def build_model(experiment: Experiment, data: Dataset) -> Recommender:
    """Builds the experiment's recommender."""
    return MODELS[type(experiment.model)].build(experiment.model, data, experiment.training.batch_size)


def data_to_train_on(experiment: Experiment, workdir: Path) -> Dataset:
    """Loads the data that the work directory keeps if their sources are unchanged; otherwise reads them."""
    kept = workdir / "data"
    try:
        if is_prepared(kept, _data_settings(experiment)) and not changed_sources(kept, source_files(experiment.data)):
            return load_dataset(kept)
    except DamagedDataError as error:
        _say(f"{error}; read again from their sources")
    return read_data(experiment)


def data_of_run(experiment: Experiment, workdir: Path) -> Dataset:
    """Returns the data that a work directory was trained on; reports on stderr if their sources have changed since.

    Raises:
        InputError: the directory keeps no data, or damaged ones, and the sources have changed.
    """
    kept = workdir / "data"
    try:
        if is_prepared(kept):
            data = load_dataset(kept)
            _say(_changes(experiment, kept))
            return data
        damage = None
    except DamagedDataError as error:
        damage = error
    try:
        data = read_data(experiment)
        check_data(workdir, fingerprint(data))
    except InputError as error:
        raise InputError(f"{damage}; and from their sources: {error}" if damage else error) from error
    _say(f"{damage}; read again from their sources" if damage else "")
    return data


def save_run_data(experiment: Experiment, data: Dataset, workdir: Path) -> None:
    """Saves the data in the work directory, unless it holds them whole."""
    kept, settings = workdir / "data", _data_settings(experiment)
    try:
        if is_prepared(kept, settings):
            return
    except DamagedDataError:
        pass  # Reported on loading.
    save_dataset(data, kept, source_files(experiment.data), settings)


def _changes(experiment: Experiment, kept: Path) -> str:
    """Describes the sources that changed since the kept data were read; empty where none did."""
    try:
        changed = changed_sources(kept, source_files(experiment.data))
    except InputError as error:
        return f"{error}; this is of the data as trained on"
    others = f" and {len(changed) - 1} others" if len(changed) > 1 else ""
    return f"{changed[0]}{others}: changed since training; this is of the data as trained on" if changed else ""


def _say(notice: str) -> None:
    if notice and is_first():
        print(notice, file=sys.stderr)


def _data_settings(experiment: Experiment) -> str:
    """Returns all settings that determine the data."""
    e, draws = experiment, MODELS[type(experiment.model)].learns_from_negatives
    parts = [e.seed, dataclasses.asdict(e.data), dataclasses.asdict(e.synthetic), draws, e.training.initialize_from]
    return json.dumps(parts, sort_keys=True)


def data_folder(name: str) -> str:
    """Returns the path of a data set below $HKJAX_DATA, which defaults to ../shared/data."""
    return str(Path(os.environ.get("HKJAX_DATA", "../shared/data")) / name)
