"""Training, loading and evaluation of a run in its work directory."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
from jax.sharding import Mesh

from hkjax.choices import Adapt
from hkjax.config import to_config_dict
from hkjax.data.dataset import Dataset, fingerprint, join_validation
from hkjax.errors import DivergenceError, InputError
from hkjax.evaluation.evaluate import make_validator
from hkjax.evaluation.report import make_report, print_report, write_report
from hkjax.experiment import (
    Experiment,
    build_model,
    data_of_run,
    data_to_train_on,
    default_config,
    read_experiment,
    save_run_data,
)
from hkjax.models.base import Params, Presentation, Recommender
from hkjax.models.registry import MODELS
from hkjax.ops.collectives import ROWS
from hkjax.serving.examples import example_lines
from hkjax.serving.export import export_scores
from hkjax.serving.trained import TrainedModel
from hkjax.training.hosts import barrier, is_first
from hkjax.training.loop import fit
from hkjax.training.partition import MeshShape, Partitioner, make_mesh
from hkjax.training.progress import best_record, read_records
from hkjax.training.saving.checkpoint import Checkpoints
from hkjax.training.saving.lock import lock_workdir
from hkjax.training.saving.recovery import restore_params
from hkjax.training.saving.workdir import claim_workdir, flatten, read_config
from hkjax.training.state import make_optimizer
from hkjax.training.trainer import Trainer, make_trainer
from hkjax.training.warm_start import warm_start
from hkjax.transfer import on_host
from hkjax.tuning.recorded import settle
from hkjax.tuning.rivals import fit_rivals


def train_experiment(
    experiment: Experiment,
    workdir: Path,
    data: Dataset | None = None,
    adapt: Adapt | None = None,
    auto: float = 0.0,
) -> list[dict[str, Any]]:
    """Trains in the work directory, or resumes there.

    Args:
        experiment: its configuration.
        workdir: receives all results and the data; no other process trains there meanwhile.
        data: the data to train on, if not those of the experiment.
        adapt: (experiment, data) -> both, for choices that depend on the data.
        auto: seconds to choose another model in closed form on the validation part; 0 keeps the experiment's.

    Returns:
        One record per epoch.
    """
    # Only process 0 takes the lock.
    with lock_workdir(workdir) if is_first() else contextlib.nullcontext():
        data = data or data_to_train_on(experiment, workdir)
        e, data = adapt(experiment, data) if adapt else (experiment, data)
        e = settle(e, data, workdir, auto)
        if e.training.refit:
            data = join_validation(data)
        for warning in data.warnings if is_first() else ():
            print(warning)
        recommender = build_for(make_mesh(e.mesh), e, data)
        fresh = not any((workdir / "checkpoints").glob("[0-9]*"))
        if recommender.trained != () and e.training.initialize_from and fresh:
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
            save_run_data(e, data, workdir)
        barrier("workdir")
        try:
            return fit(usual, validate, e.training, e.seed, workdir, trainer)
        except DivergenceError as error:
            raise InputError(
                f"{error}, at optimizer.learning_rate {e.optimizer.learning_rate:g}. Earlier checkpoints stay. "
                "Start a new --workdir with a smaller one, or with training.on_divergence=rollback"
            ) from error


def build_for(grid: Mesh, experiment: Experiment, data: Dataset) -> Recommender:
    """Builds the experiment's recommender; arrays to be divided among devices stay on the host."""
    divided = grid.shape[ROWS] > 1
    with on_host() if divided else contextlib.nullcontext():
        return build_model(experiment, data)


class Trained(NamedTuple):
    """Content of a work directory.

    Attributes:
        experiment, data: the experiment and its data.
        recommender: its model; where tables are sharded, the one for evaluation (`Partitioner.recommender`).
        params: trained parameters.
        notice: why the parameters are not of the requested checkpoint; empty where they are.
    """

    experiment: Experiment
    data: Dataset
    recommender: Recommender
    params: Params
    notice: str = ""


def load_workdir(workdir: Path, which: Literal["best", "latest"] = "best", mesh: MeshShape = (1, 1)) -> Trained:
    """Loads a work directory written by `train_experiment`.

    Args:
        workdir: where training wrote.
        which: the best checkpoint or the latest.
        mesh: devices to evaluate on, independent of those of training; see `hkjax.training.partition.make_mesh`.

    Raises:
        InputError: there is no whole checkpoint, or the data were not kept and have changed since training.
    """
    experiment = read_experiment(read_config(workdir))
    data = data_of_run(experiment, workdir)
    grid = make_mesh(mesh)
    recommender = build_for(grid, experiment, data)
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
        export_to: a folder for the files of serving (see `hkjax.serving.export`), if any.
        mesh: devices to evaluate on, for tables that exceed one. On one device the result does not depend on
            the devices of training; on several it has their rounding.
    """
    experiment, data, recommender, params, notice = load_workdir(workdir, mesh=mesh)
    grid_size = make_mesh(mesh).size
    e, model = experiment, MODELS[type(experiment.model)]
    presentation = Presentation(e.model.name, model.title, model.insight, model.advice)
    rivals = fit_rivals(data, e.evaluation.tuning, e.seed, own=e.model.name)
    report, representation, pictures = make_report(
        recommender, params, data, e.evaluation, e.seed, presentation, rivals, model.ranks_only
    )
    report["warnings"] += [notice] if notice else []
    records = read_records(workdir)
    sections = {"How it was trained": _training_lines(records, e)}
    if grid_size == 1:
        trained = TrainedModel(data, recommender, params, representation)
        sections["Three users"] = example_lines(trained)
    write_report(workdir, report, pictures, records, e.evaluation, e.training.monitor, sections)
    print_report(report)
    if export_to is not None:
        export_scores(recommender, params, representation, data, export_to)
    return report


def _training_lines(records: list[dict[str, Any]], experiment: Experiment) -> list[str]:
    """Lists the duration of training, and the settings that are no defaults."""
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
