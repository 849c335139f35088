"""A run that was stopped in its fourth epoch of six, and what commands say of it while nothing is damaged."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from hkjax.choices import tables_config
from hkjax.errors import TerminationError
from hkjax.experiment import read_experiment, train_experiment
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.training.hosts import Termination
from hkjax.training.progress import read_records
from tests.fuzz.promise import Commands
from tests.fuzz.sources import write_tables

_MODELS: dict[str, Any] = {"hkrm": HKRMConfig(dim=4), "hakg": HAKGConfig(dim=4, layers=1, negatives=2)}
_EPOCHS, _STOPS_AT, _BATCH = 6, 20, {"hkrm": 16, "hakg": 4}


class TrainedRun(NamedTuple):
    """The run, and what undisturbed commands give.

    Attributes:
        model: its model.
        workdir: the run, to be copied.
        steps: of its checkpoints.
        recommended: stdout of `recommend`, by the only checkpoint there, and of all of them by 0.
        final: the checksums of the parameters after the last epoch.
        records: those of all epochs, without their seconds.
        recommended_after: stdout of `recommend` after them.
        measured: the test metrics of `evaluate` before them.
    """

    model: str
    workdir: Path
    steps: list[int]
    recommended: dict[int, str]
    final: dict[str, str]
    records: list[dict[str, Any]]
    recommended_after: str
    measured: dict[str, float]


def train_in_part(model: str, commands: Commands, folder: Path) -> TrainedRun:
    """Trains, and collects what undisturbed commands give."""
    tables = write_tables(folder)
    config = tables_config(_MODELS[model]).to_dict()
    config["data"]["tables"] = {key: str(folder / name) for key, name in tables.items()}
    config["data"]["tables"]["triples"] = (config["data"]["tables"]["triples"],)
    config["training"] |= {"epochs": _EPOCHS, "patience": _EPOCHS, "batch_size": _BATCH[model], "monitor": "recall@5"}
    workdir = folder / "run"
    stops = mock.patch.object(Termination, "should_stop", lambda _, step: step >= _STOPS_AT)
    with stops, pytest.raises(TerminationError):
        train_experiment(read_experiment({**config, "mesh": (1, 1)}), workdir)
    steps = steps_of(workdir)
    recommended = {}
    for step in (0, *steps):
        copy = shutil.copytree(workdir, folder / f"only-{step}")
        for other in steps if step else []:
            if other != step:
                shutil.rmtree(copy / f"checkpoints/{other}")
        recommended[step] = recommend(commands, copy).out
    whole = shutil.copytree(workdir, folder / "whole")
    evaluate(commands, whole)
    measured = measured_of(whole)
    train(commands, whole)
    after = recommend(commands, whole).out
    return TrainedRun(model, workdir, steps, recommended, sums_of(whole), records_of(whole), after, measured)


def recommend(commands: Commands, workdir: Path) -> Any:
    return commands.run("recommend", f"--workdir={workdir}", "--users=u1,u2", kind="damaged run")


def train(commands: Commands, workdir: Path) -> Any:
    return commands.run("train", f"--workdir={workdir}", kind="damaged run")


def evaluate(commands: Commands, workdir: Path) -> Any:
    return commands.run("evaluate", f"--workdir={workdir}", kind="damaged run")


def measured_of(workdir: Path) -> dict[str, float]:
    """The test metrics of a report."""
    return json.loads((workdir / "report.json").read_text())["test"]


def steps_of(workdir: Path) -> list[int]:
    return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())


def sums_of(workdir: Path) -> dict[str, str]:
    """The checksums of the latest checkpoint."""
    record = json.loads((workdir / f"checkpoints/{steps_of(workdir)[-1]}/record/metadata").read_text())["record"]
    return {name: array["sum"] for name, array in record["arrays"].items()}


def records_of(workdir: Path) -> list[dict[str, Any]]:
    return [{**record, "seconds": 0} for record in read_records(workdir)]
