"""The report: metrics beside those of baselines, with a verdict, as JSON, on the terminal and with pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from hkjax.data.dataset import Dataset
from hkjax.evaluation.evaluate import EvaluationConfig, Rival, evaluate
from hkjax.evaluation.markdown import report_text
from hkjax.evaluation.verdict import paired_difference, verdict
from hkjax.files import write_whole
from hkjax.models.base import Params, Picture, Presentation, Recommender, Representation

_SHOWN_KS = (5, 20)


def make_report(
    recommender: Recommender,
    params: Params,
    data: Dataset,
    config: EvaluationConfig,
    seed: int,
    presentation: Presentation,
    rivals: Mapping[str, Rival],
    ranks_only: bool = False,
) -> tuple[dict[str, Any], Representation, Sequence[Picture]]:
    """Evaluates the model and its rivals on the same rows.

    Args:
        recommender, params: the model.
        data: the data set.
        config: what to measure.
        seed: of the bootstrap.
        presentation: how to present the model.
        rivals: what to measure beside the model, by name.
        ranks_only: the model's scores only rank, and are no logits.

    Returns:
        A dict that JSON can hold: `model`, its name; `verdict`, a sentence; `test`, its metrics; `baselines`, those of
        the rivals by name; `differences`, the paired comparisons with them; `commands` that train them; `intervals`,
        `without_history`, `recall_by` and `rows`; `warnings` on the data; and the model's own `findings` and `learned`
        sentences. Then the model's representation, and its own pictures.
    """
    results, representation = evaluate(recommender, params, data, config, seed, ranks_only)
    report: dict[str, Any] = {
        "model": presentation.name,
        "titles": {presentation.name: presentation.title},
        "test": results["metrics"],
        "baselines": {},
        "commands": {name: rival.command for name, rival in rivals.items()},
        "differences": {},
        **{key: {"test": results[key]} for key in ("intervals", "without_history", "recall_by")},
    }
    own_users = results["per_user"]
    for name, rival in rivals.items():
        results, _ = evaluate(rival.recommender, rival.params, data, config, seed, rival.ranks_only)
        report["titles"][name] = rival.title
        report["baselines"][name] = results["metrics"]
        report["differences"][name] = {
            metric: list(paired_difference(values, results["per_user"][metric], config.bootstrap, seed))
            for metric, values in own_users.items()
        }
        for key in ("intervals", "without_history", "recall_by"):
            report[key][name] = results[key]
    history = np.bincount(data.train.positives().users, minlength=data.n_users)
    report["rows"] = {
        "train": data.train.users.size,
        "validation": data.validation.users.size,
        "test": data.test.users.size,
        "test_without_history": int((history[data.test.users] == 0).sum()),
        "ranked_users": int(np.unique(data.test.positives().users).size),
    }
    insight = presentation.insight(recommender, representation, data)
    report |= {"warnings": list(data.warnings), "findings": dict(insight.findings), "learned": list(insight.learned)}
    sentence = verdict(report, config.main_k, presentation.advice)
    return {"verdict": sentence, **report}, representation, insight.pictures


def write_report(
    workdir: Path,
    report: Mapping[str, Any],
    pictures: Sequence[Picture],
    records: Sequence[Mapping[str, Any]],
    config: EvaluationConfig,
    monitor: str,
    sections: Mapping[str, Sequence[str]] = {},
) -> None:
    """Writes report.json, report.md and plots/ into the work directory.

    Args:
        workdir: the work directory.
        report: from `make_report`.
        pictures: the model's own.
        records: of the training epochs.
        config: the evaluation's choices.
        monitor: the validation metric that chose the epoch.
        sections: further lines for report.md, by their titles.
    """
    from hkjax.evaluation import plots  # Imported late: it imports matplotlib.

    rankings = {report["model"]: report["test"], **report["baselines"]}
    monitored = [x for x in records if x.get("train_loss") is not None and x.get(f"validation_{monitor}") is not None]
    curves = [plots.training_curves(monitored, monitor)] if monitored else []
    drawn = [*curves, plots.top_k_curves(rankings, config.ks), *pictures]
    for picture in drawn:
        plots.save_picture(picture, workdir / "plots")
    write_whole(workdir / "report.json", json.dumps(report, indent=2) + "\n")
    text = report_text(report, {x.title: f"{x.name}.png" for x in drawn}, shown_metrics(report), sections)
    write_whole(workdir / "report.md", text)


def print_report(report: Mapping[str, Any]) -> None:
    """Prints the verdict, and the metrics as a table, the model beside its baselines."""
    print(report["verdict"])
    columns = {report["model"]: report["test"], **report["baselines"]}
    table = Table(*("metric", *(report["titles"][name] for name in columns)))
    for metric in shown_metrics(report):
        table.add_row(metric, *(f"{x[metric]:.4f}" if metric in x else "" for x in columns.values()))
    Console().print(table)
    for name, value in report["findings"].items():
        print(f"{name.replace('_', ' ')}: {value:.4f}")


def shown_metrics(report: Mapping[str, Any]) -> list[str]:
    """Returns the metrics to show: only the cut-offs 5 and 20, unless neither was measured."""
    found = {int(metric.partition("@")[2]) for metric in report["test"] if "@" in metric}
    shown = found & {*_SHOWN_KS} or found
    return [metric for metric in report["test"] if "@" not in metric or int(metric.partition("@")[2]) in shown]
