"""The report: every number beside its baselines, as JSON, Markdown and pictures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from hkjax import plots
from hkjax.data.dataset import Dataset
from hkjax.evaluation.ctr import predict
from hkjax.evaluation.evaluate import EvaluationConfig, evaluate
from hkjax.explain import field_recovery, typical_pair
from hkjax.geometry import poincare
from hkjax.models.base import Params, Recommender, Representation
from hkjax.models.baselines import balance_and_popularity, popularity
from hkjax.models.hakg import HAKGRepresentation
from hkjax.models.hkrm import HKRMRepresentation
from hkjax.training.progress import read_records

_CLICK_METRICS = ("auc", "acc", "f1", "log_loss", "calibration_error")


def make_report(
    recommender: Recommender,
    params: Params,
    data: Dataset,
    config: EvaluationConfig,
    name: str,
    seed: int,
) -> tuple[dict[str, Any], Representation]:
    """Evaluates the model and its baselines on the same rows.

    Returns:
        A dict that JSON can hold: `model`, its name; `test`, its metrics; `baselines`, theirs by
        name; `intervals`, `without_history` and `rows`; `remarks` on the data; and `truth` where
        the data set knows it. And the model's representation.
    """
    results, representation = evaluate(recommender, params, data, config, seed)
    report: dict[str, Any] = {
        "model": name,
        "test": results["metrics"],
        "baselines": {},
        "intervals": {"test": results["intervals"]},
        "without_history": {"test": results["without_history"]},
    }
    for baseline in (popularity, balance_and_popularity):
        other = baseline(data)
        results, _ = evaluate(other, other.init(jax.random.key(seed)), data, config, seed)
        report["baselines"][baseline.__name__] = results["metrics"]
        report["intervals"][baseline.__name__] = results["intervals"]
        report["without_history"][baseline.__name__] = results["without_history"]
    history = np.bincount(data.train.positives().users, minlength=data.n_users)
    report["rows"] = {
        "train": data.train.users.size,
        "validation": data.validation.users.size,
        "test": data.test.users.size,
        "test_without_history": int((history[data.test.users] == 0).sum()),
        "ranked_users": int(np.unique(data.test.positives().users).size),
    }
    report["remarks"] = list(data.remarks)
    if data.truth is not None and isinstance(representation, HKRMRepresentation):
        found = field_recovery(representation, data.truth, history)
        report["truth"] = {"field_recovery": found, "chance": 1 / len(data.fields)}
    return report, representation


def write_report(
    workdir: Path,
    report: Mapping[str, Any],
    recommender: Recommender,
    representation: Representation,
    data: Dataset,
    config: EvaluationConfig,
    monitor: str,
) -> None:
    """Writes report.json, report.md and plots/ into the work directory."""
    pictures = {"Training": "training.png"}
    plots.training_curves(read_records(workdir), monitor, workdir / "plots/training.png")
    rankings = {report["model"]: report["test"], "popularity": report["baselines"]["popularity"]}
    plots.top_k_curves(rankings, config.ks, workdir / "plots/top_k.png")
    pictures["Top-K"] = "top_k.png"
    if isinstance(representation, HKRMRepresentation):
        pair = typical_pair(representation, data, predict(recommender, representation, data.test))
        if pair is not None:
            plots.preference_heat_map(pair, data.names, workdir / "plots/preference.png")
            pictures["User preference against item attribute importance"] = "preference.png"
    if isinstance(representation, HAKGRepresentation):
        liked = np.bincount(data.train.positives().items, minlength=data.n_items)
        distance = np.asarray(poincare.distance_zero(representation.place, 1.0))
        plots.distance_by_popularity(distance[: data.n_items], liked, workdir / "plots/distance.png")
        pictures["Distance to the origin against popularity"] = "distance.png"
        place = np.asarray(representation.place)[: data.n_entities]
        if place.shape[1] == 2:
            plots.poincare_disk(place, data.n_items, data.triples[:, [0, 2]], workdir / "plots/disk.png")
            pictures["Items and attributes in the Poincare disk"] = "disk.png"
    (workdir / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (workdir / "report.md").write_text(_markdown(report, pictures))


def print_report(report: Mapping[str, Any]) -> None:
    """Prints the metrics as a table, the model beside its baselines."""
    columns = {report["model"]: report["test"], **report["baselines"]}
    table = Table(*("metric", *columns))
    for metric in report["test"]:
        table.add_row(metric, *(f"{metrics[metric]:.4f}" for metrics in columns.values()))
    Console().print(table)
    if "truth" in report:
        print("users' preferred field found: {field_recovery:.1%} (chance {chance:.1%})".format(**report["truth"]))


def _markdown(report: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    rows = report["rows"]
    lines = [
        f"# {report['model']}: results on the test part",
        "",
        f"{rows['train']:,} train, {rows['validation']:,} validation and {rows['test']:,} test rows; "
        f"all {rows['ranked_users']:,} users with a liked test item are ranked, over all items but those that they "
        "liked in another part. In brackets 95 % bootstrap intervals over users.",
        "",
        *(f"- {remark}" for remark in report["remarks"]),
        *_table(report, "test", tuple(report["test"])),
    ]
    if report["without_history"]["test"]:
        lines += [
            "",
            f"## Rows of users without a liked train item ({rows['test_without_history']:,})",
            *_table(report, "without_history", _CLICK_METRICS),
        ]
    if "truth" in report:
        lines += [
            "",
            "The users' preferred field is found for {field_recovery:.1%} (chance {chance:.1%}).".format(
                **report["truth"]
            ),
        ]
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
