"""The report as a page of Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

_CLICK_METRICS = ("auc", "acc", "f1", "log_loss", "calibration_error")


def report_text(
    report: Mapping[str, Any],
    pictures: Mapping[str, str],
    metrics: Sequence[str],
    sections: Mapping[str, Sequence[str]],
) -> str:
    """Returns the page.

    Args:
        report: from `make_report`.
        pictures: files in plots/ by their titles.
        metrics: those to show; report.json has all.
        sections: further lines by their titles.
    """
    rows = report["rows"]
    lines = [
        f"# {report['model']}: results on the test part",
        "",
        f"**{report['verdict']}**",
        "",
        f"{rows['train']:,} train, {rows['validation']:,} validation and {rows['test']:,} test rows; "
        f"all {rows['ranked_users']:,} users with a positive test item are ranked, over all items but those that they "
        "met in the other parts. In brackets 95 % bootstrap intervals over users.",
        "",
        *(f"- {warning}" for warning in report["warnings"]),
        *_table(report, "test", metrics),
    ]
    if report["without_history"]["test"]:
        lines += [
            "",
            f"## Rows of users without a positive train item ({rows['test_without_history']:,})",
            *_table(report, "without_history", _CLICK_METRICS),
        ]
    for group in report["recall_by"]["test"]:
        lines += ["", f"## Recall by {group}", *_recall_by(report, group)]
    if report["learned"] or report["findings"]:
        findings = (f"{name.replace('_', ' ')}: {value:.4f}" for name, value in report["findings"].items())
        lines += ["", "## What the model learned", "", *(f"- {line}" for line in (*report["learned"], *findings))]
    for title, section in sections.items():
        lines += ["", f"## {title}", "", *section]
    for title, file in pictures.items():
        lines += ["", f"## {title}", "", f"![{title}](plots/{file})"]
    return "\n".join(lines) + "\n"


def _columns(report: Mapping[str, Any]) -> dict[str, str]:
    """Returns the title of each column, by its key in the report."""
    return {"test": report["titles"][report["model"]], **{name: report["titles"][name] for name in report["baselines"]}}


def _header(first: str, columns: Mapping[str, str]) -> list[str]:
    return ["", f"| {first} | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]


def _table(report: Mapping[str, Any], part: str, metrics: Sequence[str]) -> list[str]:
    columns = _columns(report)
    values = {"test": report["test"], **report["baselines"]} if part == "test" else report[part]
    columns = {key: title for key, title in columns.items() if part == "test" or values[key]}
    lines = _header("metric", columns)
    for metric in metrics:
        cells = []
        for model in columns:
            interval = report["intervals"][model].get(metric) if part == "test" else None
            bounds = f" [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else ""
            cells.append(f"{values[model][metric]:.4f}{bounds}" if metric in values[model] else "")
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return lines


def _recall_by(report: Mapping[str, Any], group: str) -> list[str]:
    columns = _columns(report)
    lines = _header(f"{group} ({'users' if group == 'history length' else 'rows'})", columns)
    for name, (count, _) in report["recall_by"]["test"][group].items():
        cells = " | ".join(f"{report['recall_by'][model][group][name][1]:.4f}" for model in columns)
        lines.append(f"| {name} ({count:,}) | {cells} |")
    return lines
