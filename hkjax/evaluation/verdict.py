"""One sentence that compares a model with its rivals, on the same users."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Difference(NamedTuple):
    """A paired comparison of two models, over the same users.

    Attributes:
        mean: of the model's metric less its rival's.
        low, high: bounds of the 95 % bootstrap interval of the mean.
    """

    mean: float
    low: float
    high: float


def paired_difference(own: np.ndarray, other: np.ndarray, samples: int, seed: int) -> Difference:
    """Bootstraps the mean difference of a metric over users.

    Args:
        own, other: the metric of each user, [users].
        samples: bootstrap samples.
        seed: of the draws.
    """
    difference = np.asarray(own, np.float64) - other
    draws = np.random.default_rng(seed).integers(len(difference), size=(samples, len(difference)))
    low, high = np.percentile(difference[draws].mean(axis=1), [2.5, 97.5])
    return Difference(float(difference.mean()), float(low), float(high))


def verdict(report: Mapping[str, Any], k: int, advice: str = "") -> str:
    """Compares the model with popularity and with its best rival, by recall and NDCG.

    Args:
        report: with `model`, `titles`, `test`, `baselines`, `commands`, and `differences`: by rival and metric the
            values of a `Difference`.
        k: the cut-off.
        advice: a sentence for a model that is below popularity.
    """
    recall, ndcg = f"recall@{k}", f"ndcg@{k}"
    titles, value = report["titles"], report["test"][recall]
    name, others = titles[report["model"]], {r: m[recall] for r, m in report["baselines"].items() if recall in m}
    if not others:
        return f"{name} reaches {recall} {value:.4f}."
    best = max(others, key=lambda rival: others[rival])
    if value < others.get("popularity", value):
        sentence = (
            f"{name} {value:.4f} is below popularity {others['popularity']:.4f} in {recall}: it has learned little. "
            "Train longer, or with another learning rate."
        )
        return f"{sentence} {advice}".rstrip()
    by_recall, by_ndcg = (Difference(*report["differences"][best][metric]) for metric in (recall, ndcg))
    words = [_word(by_recall), _word(by_ndcg)]
    measured = ((recall, by_recall), (ndcg, by_ndcg))
    shown = "; ".join(f"{m} {d.mean:+.4f}, 95 % interval {d.low:+.4f} to {d.high:+.4f}" for m, d in measured)
    rival, both = f"{titles[best]} {others[best]:.4f}", f"{name} {value:.4f}"
    if words[0] == words[1]:
        sentence = f"{both} is {words[0]} {rival} in {recall}, and in {ndcg} ({shown})."
    else:
        sentence = f"{both} is {words[0]} {rival} in {recall}, and {words[1]} it in {ndcg} ({shown})."
    if words[0] == "below":
        trains = f", which `hkjax train {report['commands'][best]}` trains" if report["commands"].get(best) else ""
        sentence += f" {titles[best]} is the better choice here{trains}."
    return sentence


def _word(difference: Difference) -> str:
    if difference.low > 0:
        return "above"
    return "below" if difference.high < 0 else "about equal to"
