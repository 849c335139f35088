"""One sentence that compares a model with its baselines."""

from collections.abc import Mapping
from typing import Any


def verdict(report: Mapping[str, Any], metric: str, advice: str = "") -> str:
    """Compares the model with the best baseline and with popularity, by one metric that is better when higher.

    Args:
        report: with `model`, `titles`, `test`, `baselines` and `intervals`.
        metric: such as recall@20.
        advice: a sentence for a model that is below popularity.
    """
    titles, value = report["titles"], report["test"][metric]
    name = titles[report["model"]]
    others = {baseline: metrics[metric] for baseline, metrics in report["baselines"].items() if metric in metrics}
    if not others:
        return f"{name} reaches {metric} {value:.4f}."
    best = max(others, key=lambda baseline: others[baseline])
    low, high = report["intervals"]["test"][metric]
    if value < others.get("popularity", value):
        sentence = (
            f"{name} {value:.4f} is below popularity {others['popularity']:.4f} in {metric}: it has learned little. "
            "Train longer, or with another learning rate."
        )
        return f"{sentence} {advice}".rstrip()
    both = f"{name} {value:.4f} {{}} {titles[best]} {others[best]:.4f} in {metric}"
    if others[best] > high:
        return both.format("is below") + f": {titles[best]} is the better choice here."
    if others[best] >= low:
        return both.format("is about equal to") + f" (95 % interval {low:.4f} to {high:.4f})."
    return both.format("is above") + ", the best baseline."
