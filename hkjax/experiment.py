"""One experiment: its whole configuration, its data and its model."""

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
from ml_collections import ConfigDict

from hkjax.config import build, to_config_dict
from hkjax.data.config import DataConfig
from hkjax.data.dataset import Dataset, continue_split, fingerprint
from hkjax.data.negatives import draw_negatives
from hkjax.data.prepared import DamagedDataError, changed_sources, is_prepared, load_dataset, save_dataset
from hkjax.data.read import read_dataset, source_files
from hkjax.data.synthetic import SyntheticConfig, synthetic_dataset
from hkjax.errors import DivergenceError, InputError
from hkjax.evaluation.evaluate import EvaluationConfig, make_validator
from hkjax.evaluation.report import make_report, print_report, write_report
from hkjax.models.base import Params, Recommender
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.registry import BASELINES, MODELS, ModelConfig
from hkjax.ops.collectives import ROWS
from hkjax.ranges import Checked, Range
from hkjax.serving.examples import example_lines
from hkjax.serving.export import export_scores
from hkjax.serving.recommend import TrainedModel
from hkjax.training.checkpoint import Checkpoints
from hkjax.training.hosts import barrier, is_first
from hkjax.training.lock import lock_workdir
from hkjax.training.loop import TrainingConfig, fit
from hkjax.training.partition import MeshShape, Partitioner, make_mesh
from hkjax.training.progress import best_record, read_records
from hkjax.training.recovery import restore_params
from hkjax.training.state import OptimizerConfig, make_optimizer
from hkjax.training.trainer import Parallel, Trainer, make_trainer
from hkjax.training.warm_start import warm_start
from hkjax.training.workdir import check_data, claim_workdir, flatten, read_config


@dataclass(frozen=True)
class Experiment(Checked):
    """All that a run depends on.

    Attributes:
        seed: 32 bits; seed of the split, the initialisation, the batches and the bootstrap.
        data: where the data come from.
        synthetic: what to generate where `data.format` is `synthetic`.
        model: the model and its choices.
        optimizer: how to descend.
        training: how long, in which batches.
        evaluation: what to measure.
        mesh: numbers of devices (data, rows). Batches and edges are divided among all of them; embedding
            tables and their moments are divided by rows over the second number and replicated over the
            first. -1 stands for as many as there are: (-1, 1) replicates tables, (1, -1) shards them.
        parallel: what runs a step on several devices, `pmap` or `shard_map`; sharded tables and several
            processes need the latter and get it.
    """

    seed: Annotated[int, Range(low=0, below=2**32)] = 0
    data: DataConfig = field(default_factory=DataConfig)
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    model: ModelConfig = field(default_factory=HKRMConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    mesh: tuple[int, int] = (-1, 1)
    parallel: Parallel = "pmap"


Settle = Callable[[Experiment, Dataset], tuple[Experiment, Dataset]]


def default_config(model: ModelConfig | None = None) -> ConfigDict:
    """Returns every setting with its default, locked against unknown keys, for a config file to change."""
    config = to_config_dict(Experiment(model=model or HKRMConfig()))
    config.data.fields = ConfigDict(convert_dict=False)
    config.data.tables.columns = ConfigDict(convert_dict=False)
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
    """Reads or generates the experiment's data set, with negatives if its model needs them and there are none.

    Where training starts from an earlier run's parameters, what that was trained on is in train.
    """
    if experiment.data.format == "synthetic":
        data = synthetic_dataset(experiment.synthetic, experiment.data, experiment.seed)
    else:
        data = read_dataset(experiment.data, experiment.seed)
    if experiment.training.initialize_from:
        earlier = Path(experiment.training.initialize_from)
        data = continue_split(data, kept_data(read_experiment(read_config(earlier)), earlier))
        if not min(part.users.size for part in (data.validation, data.test)):
            raise InputError(f"initialize_from: {earlier} was trained on all rows of today's validation or test part")
    needs_negatives = MODELS[type(experiment.model)].learns_from_negatives
    return draw_negatives(data, experiment.seed) if needs_negatives and data.train.labels.all() else data


def build_model(experiment: Experiment, data: Dataset) -> Recommender:
    """Builds the experiment's recommender."""
    return MODELS[type(experiment.model)].build(experiment.model, data, experiment.training.batch_size)


def prepare_data(experiment: Experiment, workdir: Path) -> Dataset:
    """The experiment's data: as the work directory keeps them, if it does and their sources are the same, or read."""
    kept = workdir / "data"
    try:
        if is_prepared(kept, _data_settings(experiment)) and not changed_sources(kept, source_files(experiment.data)):
            return load_dataset(kept)
    except DamagedDataError as error:
        _say(f"{error}; read anew from their sources")
    return load_data(experiment)


def kept_data(experiment: Experiment, workdir: Path) -> Dataset:
    """The data that a work directory was trained on; says on stderr if their sources have changed since.

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
        data = load_data(experiment)
        check_data(workdir, fingerprint(data))
    except InputError as error:
        raise InputError(f"{damage}; and from their sources: {error}" if damage else error) from error
    _say(f"{damage}; read anew from their sources" if damage else "")
    return data


def _keeps(kept: Path, experiment: Experiment) -> bool:
    """Whether the folder holds the experiment's data, whole."""
    try:
        return is_prepared(kept, _data_settings(experiment))
    except DamagedDataError:
        return False


def _changes(experiment: Experiment, kept: Path) -> str:
    """Which sources are not as they were when the kept data were read; empty where all are."""
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
    """All settings that the data follow from."""
    e, draws = experiment, MODELS[type(experiment.model)].learns_from_negatives
    parts = [e.seed, dataclasses.asdict(e.data), dataclasses.asdict(e.synthetic), draws, e.training.initialize_from]
    return json.dumps(parts, sort_keys=True)


def train_experiment(
    experiment: Experiment, workdir: Path, data: Dataset | None = None, settle: Settle | None = None
) -> list[dict[str, Any]]:
    """Trains in the work directory, or resumes there.

    Args:
        experiment: its configuration.
        workdir: keeps all that comes of it, and the data; no other process trains there meanwhile.
        data: what to train on, if not what the experiment names.
        settle: (experiment, data) -> both, for choices that depend on the data.

    Returns:
        One record per epoch.
    """
    # With several processes the first locks for all.
    with lock_workdir(workdir) if is_first() else contextlib.nullcontext():
        data = data or prepare_data(experiment, workdir)
        e, data = settle(experiment, data) if settle else (experiment, data)
        for warning in data.warnings if is_first() else ():
            print(warning)
        recommender = build_model(e, data)
        if e.training.initialize_from and not any((workdir / "checkpoints").glob("[0-9]*")):
            before = load_workdir(Path(e.training.initialize_from))
            recommender = warm_start(recommender, before.recommender, before.params)

        def trainer(halvings: int = 0) -> Trainer:
            rate = e.optimizer.learning_rate / 2**halvings
            slower = dataclasses.replace(e.optimizer, learning_rate=rate)
            return make_trainer(
                recommender, make_optimizer(slower, recommender.batches.steps_per_epoch), e.mesh, e.parallel
            )

        usual = trainer()
        validate = make_validator(usual.recommender, data, e.training.monitor)
        if is_first():
            claim_workdir(workdir, e, fingerprint(data), read_experiment)
            if not _keeps(workdir / "data", e):
                save_dataset(data, workdir / "data", source_files(e.data), _data_settings(e))
        barrier("workdir")
        try:
            return fit(usual, validate, e.training, e.seed, workdir, trainer)
        except DivergenceError as error:
            raise InputError(
                f"{error}, at optimizer.learning_rate {e.optimizer.learning_rate:g}. What was saved before stays. "
                "Start a new --workdir with a smaller one, or with training.on_divergence=rollback"
            ) from error


class Trained(NamedTuple):
    """What a work directory holds.

    Attributes:
        experiment, data: the experiment and its data.
        recommender: its model; where tables are sharded, the one for evaluation (`Partitioner.recommender`).
        params: trained parameters.
        notice: why they are not of the checkpoint that was asked for; empty where they are.
    """

    experiment: Experiment
    data: Dataset
    recommender: Recommender
    params: Params
    notice: str = ""


def load_workdir(workdir: Path, which: Literal["best", "latest"] = "best", mesh: MeshShape = (1, 1)) -> Trained:
    """Loads what `train_experiment` left in a work directory.

    Args:
        workdir: where training wrote.
        which: the best checkpoint or the latest.
        mesh: devices to evaluate on, whatever mesh they were trained on; see `hkjax.training.partition.make_mesh`.

    Raises:
        InputError: there is no checkpoint that is whole, or the data were not kept and are no longer those of training.
    """
    experiment = read_experiment(read_config(workdir))
    data = kept_data(experiment, workdir)
    recommender, grid = build_model(experiment, data), make_mesh(mesh)
    padded = experiment.mesh[1] != 1 or grid.shape[ROWS] > 1
    checkpoints = Checkpoints(workdir.resolve() / "checkpoints", experiment.training.monitor, padded)
    like = jax.eval_shape(recommender.init, jax.random.key(0))
    if grid.size > 1:
        partitioner = Partitioner(recommender, grid)
        recommender, like = partitioner.recommender, partitioner.params
    restored = restore_params(checkpoints, like, which == "best")
    if restored is None:
        raise InputError(f"{workdir}: no finished checkpoint yet; train first")
    return Trained(experiment, data, recommender, restored.params, restored.notice)


def evaluate_workdir(workdir: Path, export_to: Path | None = None, mesh: MeshShape = (1, 1)) -> dict[str, Any]:
    """Evaluates the work directory's best checkpoint; prints the table, writes and returns the report.

    Args:
        workdir: where training wrote.
        export_to: a folder for what serving needs (see `hkjax.serving.export`), if any.
        mesh: devices to evaluate on, for tables that exceed one. On one device the result does not depend on
            those that trained; on several it has their rounding.
    """
    experiment, data, recommender, params, notice = load_workdir(workdir, mesh=mesh)
    grid_size = make_mesh(mesh).size
    e, insight = experiment, MODELS[type(experiment.model)].insight
    report, representation, pictures = make_report(
        recommender, params, data, e.evaluation, e.model.name, e.seed, BASELINES, insight
    )
    report["warnings"] += [notice] if notice else []
    records = read_records(workdir)
    sections = {"How it was trained": _training_lines(records, e)}
    if grid_size == 1:
        model = TrainedModel(data, recommender, params, representation)
        sections["Three users"] = example_lines(model)
    write_report(workdir, report, pictures, records, e.evaluation, e.training.monitor, sections)
    print_report(report)
    if export_to is not None:
        export_scores(recommender, params, representation, data, export_to)
    return report


def _training_lines(records: list[dict[str, Any]], experiment: Experiment) -> list[str]:
    """How long training took, and what of the configuration is no default."""
    lines = []
    monitor = experiment.training.monitor
    if (best := best_record(records, monitor)) is not None:
        seconds = sum(record.get("seconds", 0) for record in records)
        lines.append(f"- {len(records)} epochs in {seconds:,.0f} s; the best, by {monitor}, is epoch {best['epoch']}")
    defaults, chosen = default_config(type(experiment.model)()), to_config_dict(experiment)
    for key, value in flatten(chosen.to_dict()).items():
        if flatten(defaults.to_dict()).get(key) != value:
            lines.append(f"- `{key}` = `{value}`")
    return lines


def data_folder(name: str) -> str:
    """Returns the path of a data set below $HKJAX_DATA, which defaults to ../shared/data."""
    return str(Path(os.environ.get("HKJAX_DATA", "../shared/data")) / name)
