"""The search for a model's settings before a run, and its record in the work directory."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hkjax.data.dataset import Dataset
from hkjax.evaluation.search import Trial
from hkjax.experiment import Experiment, read_experiment
from hkjax.files import write_whole
from hkjax.models.registry import MODELS
from hkjax.training.hosts import is_first
from hkjax.training.saving.workdir import read_config
from hkjax.tuning.auto import Candidate, Choice, choose_model
from hkjax.tuning.settings import Tuned, tune

_RECORD = "search.json"


def settle(experiment: Experiment, data: Dataset, workdir: Path, auto: float = 0.0) -> Experiment:
    """Returns the experiment with the settings that a search chooses, or chose in this work directory.

    Args:
        experiment: its model's `search` is the budget in seconds; without one, the experiment is returned.
        data: the data set; the search reads train and validation.
        workdir: receives search.json, or has it.
        auto: budget in seconds of a search among all models in closed form, which replaces the model; 0 for none.
    """
    seconds = auto or getattr(experiment.model, "search", 0.0)
    if not seconds or not data.validation.users.size or (workdir / "config.json").exists():
        return _recalled(experiment, workdir)
    print(f"searching settings on the validation part for at most {seconds:g} s", flush=True)
    record: dict[str, Any] = {"start": dataclasses.asdict(experiment.model)}
    if auto:
        choice = choose_model(data, auto, experiment.seed, _tell_candidate)
        tuned = choice.tuned
        _print_choice(choice)
        record["candidates"] = [{"title": c.title, "value": c.value, "trials": c.trials} for c in choice.candidates]
        record |= {"shuffled": choice.shuffled, "plain_knn": choice.plain_knn}
    else:
        tuned = tune(experiment.model, data, seconds, experiment.seed, _Teller())
    _print(tuned)
    workdir.mkdir(parents=True, exist_ok=True)
    write_whole(workdir / _RECORD, json.dumps(record | _record(tuned), indent=2) + "\n")
    return dataclasses.replace(experiment, model=tuned.config)


def _tell_candidate(candidate: Candidate) -> None:
    print(f"{candidate.title:<8} {candidate.value:.4f} after {candidate.trials} trials", flush=True)


def _print_choice(choice: Choice) -> None:
    best = choice.tuned
    title = MODELS[type(best.config)].title
    print(f"chosen: {title}, recall@20 + ndcg@20 {best.value:.4f}; a plain ItemKNN has {choice.plain_knn:.4f}")
    if choice.shuffled is not None:
        brings = best.value - choice.shuffled
        print(f"the graph brings {brings:+.4f}: with its tails shuffled, {title} has {choice.shuffled:.4f}")


def _recalled(experiment: Experiment, workdir: Path) -> Experiment:
    """Returns the experiment with the settings that an earlier search from the same start chose."""
    path = workdir / _RECORD
    if not (path.exists() and (workdir / "config.json").exists()):
        return experiment
    try:
        start = json.loads(path.read_text(encoding="utf-8"))["start"]
    except (ValueError, KeyError, TypeError):
        return experiment
    if start != json.loads(json.dumps(dataclasses.asdict(experiment.model))):
        return experiment
    return dataclasses.replace(experiment, model=read_experiment(read_config(workdir)).model)


class _Teller:
    """Prints each trial that is better than those before."""

    def __init__(self) -> None:
        self._best: Trial | None = None
        self._count = 0

    def __call__(self, trial: Trial) -> None:
        self._count += 1
        if self._best is not None and trial.value <= self._best.value:
            return
        before = self._best.settings if self._best else {}
        changed = {key: value for key, value in trial.settings.items() if before.get(key) != value}
        self._best = trial
        shown = ", ".join(f"{key} {value:g}" for key, value in changed.items())
        if is_first():
            print(f"trial {self._count}: validation recall@20 + ndcg@20 {trial.value:.4f}  {shown}", flush=True)


def _print(tuned: Tuned) -> None:
    """Prints what each part of the model brought."""
    table = Table("part", "weight", "validation recall@20 + ndcg@20 without it", "it brings")
    for part in tuned.parts:
        table.add_row(part.name, f"{part.weight:g}", f"{part.without:.4f}", f"{tuned.value - part.without:+.4f}")
    print(f"{len(tuned.trials)} trials; the best has {tuned.value:.4f}")
    if tuned.parts:
        Console().print(table)


def _record(tuned: Tuned) -> dict[str, Any]:
    return {
        "chosen": dataclasses.asdict(tuned.config),
        "value": tuned.value,
        "parts": [part._asdict() for part in tuned.parts],
        "trials": [trial._asdict() for trial in tuned.trials],
    }
