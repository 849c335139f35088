"""One experiment: its whole configuration, its data and its model."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
from ml_collections import ConfigDict

from hkjax.config import build, to_config_dict
from hkjax.data.dataset import DataConfig, Dataset, fingerprint, read_dataset
from hkjax.data.synthetic import SyntheticConfig, synthetic_dataset
from hkjax.errors import InputError
from hkjax.evaluation.evaluate import EvaluationConfig, make_validator
from hkjax.evaluation.report import make_report, print_report, write_report
from hkjax.export import export_scores
from hkjax.models.base import Params, Recommender
from hkjax.models.hakg import hakg
from hkjax.models.hakg_config import HAKGConfig
from hkjax.models.hkrm import hkrm
from hkjax.models.hkrm_config import HKRMConfig
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.training.checkpoint import Checkpoints
from hkjax.training.hosts import is_first, wait_for_all
from hkjax.training.loop import TrainingConfig, fit
from hkjax.training.parallel import Parallel, make_runner
from hkjax.training.placement import Placement
from hkjax.training.state import OptimizerConfig, make_optimizer
from hkjax.training.workdir import claim_workdir, read_config

ModelConfig = HKRMConfig | HAKGConfig | LightGCNConfig
_BUILDERS: dict[type, Callable[..., Recommender]] = {HKRMConfig: hkrm, HAKGConfig: hakg, LightGCNConfig: lightgcn}


@dataclass(frozen=True)
class Experiment:
    """All that a run depends on.

    Attributes:
        seed: seed of the split, the initialisation, the batches and the bootstrap.
        data: where the data come from.
        synthetic: what to generate where `data.format` is `synthetic`.
        model: the model and its choices.
        optimizer: how to descend.
        training: how long, in which batches.
        evaluation: what to measure.
        parallel: how to train on several devices: under `pmap` or `shard_map`, or on the first alone.
        shard_embeddings: divide embedding tables and their moments by rows among the devices.
    """

    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    model: ModelConfig = field(default_factory=HKRMConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    parallel: Parallel = "pmap"
    shard_embeddings: bool = False


def default_config(model: ModelConfig | None = None) -> ConfigDict:
    """Returns every setting with its default, locked against unknown keys, for a config file to change."""
    config = to_config_dict(Experiment(model=model or HKRMConfig()))
    config.data.fields = ConfigDict(convert_dict=False)
    return config.lock()


def ranking_config(model: ModelConfig, data: str) -> ConfigDict:
    """As `default_config`, for data in KGAT's layout below $HKJAX_DATA, of whose train items a tenth validates."""
    config = default_config(model)
    config.data.format = "kgat"
    config.data.path = data_folder(data)
    config.data.ratios = (9, 1)
    config.training.monitor = "recall@20"
    return config


def read_experiment(config: Mapping[str, Any]) -> Experiment:
    """Checks a configuration; see `hkjax.config.build` for what it refuses."""
    return build(Experiment, config)


def load_data(experiment: Experiment) -> Dataset:
    """Reads or generates the experiment's data set."""
    if experiment.data.format == "synthetic":
        return synthetic_dataset(experiment.synthetic, experiment.data, experiment.seed)
    return read_dataset(experiment.data, experiment.seed)


def build_model(experiment: Experiment, data: Dataset) -> Recommender:
    """Builds the experiment's recommender."""
    return _BUILDERS[type(experiment.model)](experiment.model, data, experiment.training.batch_size)


def train_experiment(experiment: Experiment, workdir: Path) -> list[dict[str, Any]]:
    """Trains in the work directory, or resumes there; returns one record per epoch."""
    data = load_data(experiment)
    for remark in data.remarks if is_first() else ():
        print(remark)
    e, recommender = experiment, build_model(experiment, data)
    optimizer = make_optimizer(e.optimizer, recommender.batches.steps_per_epoch)
    runner = make_runner(recommender, optimizer, e.parallel, e.shard_embeddings)
    validate = make_validator(runner.recommender, data, e.training.monitor)
    if is_first():
        claim_workdir(workdir, experiment, fingerprint(data))
    wait_for_all("workdir")
    return fit(runner, validate, e.training, e.seed, workdir)


class Trained(NamedTuple):
    """What a work directory holds: an experiment, its data and model, and trained parameters.

    With sharded tables the model is the one for evaluation, see `Placement.recommender`.
    """

    experiment: Experiment
    data: Dataset
    recommender: Recommender
    params: Params


def load_workdir(workdir: Path, which: Literal["best", "latest"] = "best", shard_embeddings: bool = False) -> Trained:
    """Loads what `train_experiment` left in a work directory.

    Args:
        workdir: where training wrote.
        which: the best checkpoint or the latest.
        shard_embeddings: divide tables by rows among the devices, however many trained them; else they
            are whole on the first.

    Raises:
        InputError: there is no checkpoint, or the data are no longer to be had.
    """
    experiment = read_experiment(read_config(workdir))
    data = load_data(experiment)
    recommender = build_model(experiment, data)
    directory = workdir.resolve() / "checkpoints"
    filled_up = shard_embeddings or experiment.shard_embeddings
    with Checkpoints(directory, experiment.training.monitor, filled_up) as checkpoints:
        step = checkpoints.best if which == "best" else checkpoints.latest
        if step is None:
            raise InputError(f"{workdir}: no finished checkpoint yet; train first")
        if shard_embeddings and jax.device_count() > 1:
            placement = Placement(recommender, jax.devices(), divide_tables=True)
            recommender, like = placement.recommender, placement.params
        else:
            like = jax.eval_shape(recommender.init, jax.random.key(0))
        return Trained(experiment, data, recommender, checkpoints.restore_params(step, like))


def evaluate_workdir(workdir: Path, export_to: Path | None = None, shard_embeddings: bool = False) -> dict[str, Any]:
    """Evaluates the work directory's best checkpoint; prints the table, writes and returns the report.

    Args:
        workdir: where training wrote.
        export_to: a folder for what serving needs (see `hkjax.export`), if any.
        shard_embeddings: divide tables among all devices, for those that exceed one. On one device the
            result is the same however many there are; on several it has their rounding.
    """
    experiment, data, recommender, params = load_workdir(workdir, shard_embeddings=shard_embeddings)
    report, representation = make_report(
        recommender, params, data, experiment.evaluation, experiment.model.name, experiment.seed
    )
    write_report(workdir, report, recommender, representation, data, experiment.evaluation, experiment.training.monitor)
    print_report(report)
    if export_to is not None:
        export_scores(recommender, representation, data, export_to)
    return report


def data_folder(name: str) -> str:
    """Returns the path of a data set below $HKJAX_DATA, which defaults to ../shared/data."""
    return str(Path(os.environ.get("HKJAX_DATA", "../shared/data")) / name)
