"""One sentence on whether a model is worth its training."""

from collections.abc import Mapping
from typing import Any

# How a sentence calls a baseline.
CALLED = {"ease": "EASE", "item_knn": "ItemKNN", "balance_and_popularity": "balance and popularity"}


def verdict(report: Mapping[str, Any], metric: str) -> str:
    """Compares the model with the best baseline and with popularity, by one metric of which more is better.

    Args:
        report: with `model`, `test`, `baselines` and `intervals`.
        metric: such as recall@20.
    """
    name, value = report["model"].upper(), report["test"][metric]
    others = {baseline: metrics[metric] for baseline, metrics in report["baselines"].items() if metric in metrics}
    if not others:
        return f"{name} reaches {metric} {value:.4f}."
    best = max(others, key=lambda baseline: others[baseline])
    low, high = report["intervals"]["test"][metric]
    called = CALLED.get(best, best)
    if value < others.get("popularity", value):
        return (
            f"{name} {value:.4f} is below popularity {others['popularity']:.4f} in {metric}: it has learned little. "
            "Train longer, or with another learning rate. HKRM should learn from drawn negatives, not from dislikes."
        )
    both = f"{name} {value:.4f} {{}} {called} {others[best]:.4f} in {metric}"
    if others[best] > high:
        return both.format("is below") + f": {called} is the better choice here."
    if others[best] >= low:
        return both.format("is about equal to") + f" (95 % interval {low:.4f} to {high:.4f})."
    return both.format("is above") + ", the best baseline."
