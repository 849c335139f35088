"""The report: every number beside its baselines, as JSON, Markdown and pictures."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from hkjax.data.dataset import Dataset
from hkjax.evaluation.evaluate import EvaluationConfig, evaluate
from hkjax.models.base import Insight, Params, Picture, Recommender, Representation

_CLICK_METRICS = ("auc", "acc", "f1", "log_loss", "calibration_error")


def make_report(
    recommender: Recommender,
    params: Params,
    data: Dataset,
    config: EvaluationConfig,
    name: str,
    seed: int,
    baselines: Mapping[str, Callable[[Dataset], Recommender]],
    insight: Callable[[Recommender, Representation, Dataset], Insight] = lambda *_: Insight(),
) -> tuple[dict[str, Any], Representation, Sequence[Picture]]:
    """Evaluates the model and baselines on the same rows.

    Args:
        recommender, params: the model.
        data: the data set.
        config: what to measure.
        name: the model's name.
        seed: of the bootstrap.
        baselines: builders of what is measured beside the model, by name.
        insight: (recommender, representation, data) -> what is the model's own.

    Returns:
        A dict that JSON can hold: `model`, its name; `test`, its metrics; `baselines`, theirs by
        name; `intervals`, `without_history` and `rows`; `warnings` on the data; and the model's own
        `findings`. Then the model's representation, and its own pictures.
    """
    results, representation = evaluate(recommender, params, data, config, seed)
    report: dict[str, Any] = {
        "model": name,
        "test": results["metrics"],
        "baselines": {},
        "intervals": {"test": results["intervals"]},
        "without_history": {"test": results["without_history"]},
    }
    for baseline, build in baselines.items():
        other = build(data)
        results, _ = evaluate(other, other.init(jax.random.key(seed)), data, config, seed)
        report["baselines"][baseline] = results["metrics"]
        report["intervals"][baseline] = results["intervals"]
        report["without_history"][baseline] = results["without_history"]
    history = np.bincount(data.train.positives().users, minlength=data.n_users)
    report["rows"] = {
        "train": data.train.users.size,
        "validation": data.validation.users.size,
        "test": data.test.users.size,
        "test_without_history": int((history[data.test.users] == 0).sum()),
        "ranked_users": int(np.unique(data.test.positives().users).size),
    }
    own = insight(recommender, representation, data)
    report |= {"warnings": list(data.warnings), "findings": dict(own.findings)}
    return report, representation, own.pictures


def write_report(
    workdir: Path,
    report: Mapping[str, Any],
    pictures: Sequence[Picture],
    records: Sequence[Mapping[str, Any]],
    config: EvaluationConfig,
    monitor: str,
) -> None:
    """Writes report.json, report.md and plots/ into the work directory.

    Args:
        workdir: the work directory.
        report: of `make_report`.
        pictures: the model's own.
        records: of the training epochs.
        config: what was measured.
        monitor: the validation metric that chose the epoch.
    """
    from hkjax.evaluation import plots  # Only now: it imports matplotlib.

    rankings = {report["model"]: report["test"], **report["baselines"]}
    curves = [plots.training_curves(records, monitor)] if records else []
    drawn = [*curves, plots.top_k_curves(rankings, config.ks), *pictures]
    for picture in drawn:
        plots.save_picture(picture, workdir / "plots")
    (workdir / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (workdir / "report.md").write_text(_markdown(report, {x.title: f"{x.name}.png" for x in drawn}))


def print_report(report: Mapping[str, Any]) -> None:
    """Prints the metrics as a table, the model beside its baselines."""
    columns = {report["model"]: report["test"], **report["baselines"]}
    table = Table(*("metric", *columns))
    for metric in report["test"]:
        table.add_row(metric, *(f"{metrics[metric]:.4f}" for metrics in columns.values()))
    Console().print(table)
    for name, value in report["findings"].items():
        print(f"{name.replace('_', ' ')}: {value:.4f}")


def _markdown(report: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    rows = report["rows"]
    lines = [
        f"# {report['model']}: results on the test part",
        "",
        f"{rows['train']:,} train, {rows['validation']:,} validation and {rows['test']:,} test rows; "
        f"all {rows['ranked_users']:,} users with a positive test item are ranked, over all items but their positives "
        "of the other parts. In brackets 95 % bootstrap intervals over users.",
        "",
        *(f"- {warning}" for warning in report["warnings"]),
        *_table(report, "test", tuple(report["test"])),
    ]
    if report["without_history"]["test"]:
        lines += [
            "",
            f"## Rows of users without a positive train item ({rows['test_without_history']:,})",
            *_table(report, "without_history", _CLICK_METRICS),
        ]
    if report["findings"]:
        lines += ["", *(f"- {name.replace('_', ' ')}: {value:.4f}" for name, value in report["findings"].items())]
    for title, file in pictures.items():
        lines += ["", f"## {title}", "", f"![{title}](plots/{file})"]
    return "\n".join(lines) + "\n"


def _table(report: Mapping[str, Any], part: str, metrics: tuple[str, ...]) -> list[str]:
    models = ["test", *report["baselines"]]
    values = {"test": report["test"], **report["baselines"]} if part == "test" else report[part]
    titles = [report["model"], *report["baselines"]]
    lines = ["", f"| metric | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for metric in metrics:
        cells = []
        for model in models:
            interval = report["intervals"][model].get(metric) if part == "test" else None
            bounds = f" [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else ""
            cells.append(f"{values[model][metric]:.4f}{bounds}")
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return lines
