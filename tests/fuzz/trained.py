"""A run that was stopped in its fourth epoch of six, and what commands say of it while nothing is damaged."""

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from hkjax.choices import tables_config
from hkjax.errors import TerminationError
from hkjax.experiment import read_experiment
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.runs import train_experiment
from hkjax.training.hosts import Termination
from hkjax.training.progress import read_records
from tests.fuzz.promise import Commands
from tests.fuzz.sources import write_tables

_MODELS: dict[str, Any] = {"hkrm": HKRMConfig(dim=4), "hakg": HAKGConfig(dim=4, layers=1, negatives=2)}
_EPOCHS, _STOPS_AT, _BATCH = 6, 20, {"hkrm": 16, "hakg": 4}


class TrainedRun(NamedTuple):
    """The run, and what undisturbed commands give, each computed when it is asked for.

    Attributes:
        model: its model.
        workdir: the run, to be copied.
        steps: of its checkpoints.
        recommended: (step) -> stdout of `recommend` where only that checkpoint is there; of 0, all of them.
        measured: () -> the test metrics of `evaluate`.
        whole: () -> a copy of the run, trained to its end.
        recommended_after: () -> stdout of `recommend` on that.
    """

    model: str
    workdir: Path
    steps: list[int]
    recommended: Callable[[int], str]
    measured: Callable[[], dict[str, float]]
    whole: Callable[[], Path]
    recommended_after: Callable[[], str]


def train_in_part(model: str, commands: Commands, folder: Path) -> TrainedRun:
    """Trains, and collects what undisturbed commands give."""
    tables = write_tables(folder)
    config = tables_config(_MODELS[model]).to_dict()
    config["data"]["tables"] = {key: str(folder / name) for key, name in tables.items()}
    config["data"]["tables"]["triples"] = (config["data"]["tables"]["triples"],)
    config["training"] |= {"epochs": _EPOCHS, "patience": _EPOCHS, "batch_size": _BATCH[model], "monitor": "recall@5"}
    config["evaluation"]["tuning"] = 0.0
    workdir = folder / "run"
    stops = mock.patch.object(Termination, "should_stop", lambda _, step: step >= _STOPS_AT)
    with stops, pytest.raises(TerminationError):
        train_experiment(read_experiment({**config, "mesh": (1, 1)}), workdir)
    steps = steps_of(workdir)

    @functools.cache
    def recommended(step: int) -> str:
        copy = shutil.copytree(workdir, folder / f"only-{step}")
        for other in steps if step else []:
            if other != step:
                shutil.rmtree(copy / f"checkpoints/{other}")
        return recommend(commands, copy).out

    @functools.cache
    def measured() -> dict[str, float]:
        copy = shutil.copytree(workdir, folder / "measured")
        evaluate(commands, copy)
        return measured_of(copy)

    @functools.cache
    def whole() -> Path:
        copy = shutil.copytree(workdir, folder / "whole")
        train(commands, copy)
        return copy

    @functools.cache
    def recommended_after() -> str:
        return recommend(commands, whole()).out

    return TrainedRun(model, workdir, steps, recommended, measured, whole, recommended_after)


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
