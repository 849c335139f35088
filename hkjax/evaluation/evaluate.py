"""Evaluation of one recommender on one part of a data set."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from hkjax.data.dataset import Dataset, Interactions
from hkjax.errors import InputError
from hkjax.evaluation.breakdown import diversity_metrics, recall_by_history, recall_by_popularity
from hkjax.evaluation.ctr import calibrate, click_intervals, predict
from hkjax.evaluation.metrics import click_metrics
from hkjax.evaluation.ranking import rank_users
from hkjax.models.base import Params, Recommender, Representation
from hkjax.ranges import Checked, Count, Weight


@dataclasses.dataclass(frozen=True)
class EvaluationConfig(Checked):
    """Choices of the evaluation.

    Attributes:
        ks: the cut-offs K of the ranking metrics.
        bootstrap: bootstrap samples behind each 95 % interval.
        tuning: seconds in which a report tunes the rivals on the validation part, all together; 0 keeps their defaults.
    """

    ks: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
    bootstrap: Count = 200
    tuning: Weight = 60.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.ks or min(self.ks) < 1:
            raise InputError(f"ks: expected cut-offs of at least 1, found {self.ks}")

    @property
    def main_k(self) -> int:
        """The cut-off of verdicts and breakdowns: 20, or the largest below it, or else the smallest."""
        return max((k for k in self.ks if k <= 20), default=min(self.ks))


class Rival(NamedTuple):
    """A fitted recommender that a report shows beside the model.

    Attributes:
        title: its name in sentences.
        recommender, params: the model.
        ranks_only: its scores only rank, and are no logits.
        command: the flags that train it; empty where no command does.
    """

    title: str
    recommender: Recommender
    params: Params
    ranks_only: bool = False
    command: str = ""


def evaluate(
    recommender: Recommender,
    params: Params,
    data: Dataset,
    config: EvaluationConfig,
    seed: int,
    ranks_only: bool = False,
) -> tuple[dict[str, Any], Representation]:
    """Measures a recommender on the test part.

    Click-through metrics need test rows of both labels and are left out without them. For every user with a positive
    in test, the ranking is of all items but those that the user interacted with in the other parts.

    Args:
        recommender, params: the model.
        data: the data set.
        config: what to measure.
        seed: of the bootstrap.
        ranks_only: the scores only rank: leaves the click-through metrics out.

    Returns:
        The results and the representation. The results are `metrics`; `intervals`, the 95 % bootstrap intervals of
        some of them; `per_user`, recall and NDCG of each user at the main cut-off; `without_history`, the click-through
        metrics on rows of users without a positive in train; and `recall_by`, [rows, recall] by groups of the item's
        popularity and of the history's length. `acc_calibrated` and the like are measured after a logistic regression
        on the logit, fitted on the validation part.
    """
    representation = jax.jit(recommender.encode)(params, recommender.inputs)
    metrics: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    without_history: dict[str, float] = {}
    if _has_both_labels(data.test) and not ranks_only:
        logits = predict(recommender, representation, data.test)
        metrics |= click_metrics(logits, data.test.labels)
        if _has_both_labels(data.validation):
            fitted = calibrate(predict(recommender, representation, data.validation), data.validation.labels, logits)
            calibrated = click_metrics(fitted, data.test.labels)
            metrics |= {f"{name}_calibrated": calibrated[name] for name in ("acc", "log_loss", "calibration_error")}
        intervals |= click_intervals(logits, data.test, config.bootstrap, seed)
        cold = ~np.isin(data.test.users, data.train.positives().users)
        if cold.any():
            without_history = click_metrics(logits[cold], data.test.labels[cold])
    seen = data.seen("train") if data.validates_on_test else data.seen("train", "validation")
    relevant = data.test.positives()
    ranking = rank_users(recommender, representation, data.n_items, relevant, seen, config.ks)
    n_users = len(ranking.users)
    draws = np.random.default_rng(seed).integers(n_users, size=(config.bootstrap, n_users))
    for name, values in ranking.metrics.items():
        metrics[name] = float(values.mean())
        intervals[name] = np.percentile(values[draws].mean(axis=1), [2.5, 97.5]).tolist()
    k, train = config.main_k, data.train.positives()
    popularity = np.bincount(train.items, minlength=data.n_items)
    lengths = np.bincount(train.users, minlength=data.n_users)[ranking.users]
    recall_by = {
        "item popularity": recall_by_popularity(ranking.users, ranking.items, relevant, popularity, k),
        "history length": recall_by_history(lengths, ranking.metrics[f"recall@{k}"]),
    }
    return {
        "metrics": metrics | diversity_metrics(ranking.items, popularity, k),
        "intervals": intervals,
        "without_history": without_history,
        "recall_by": recall_by,
        "per_user": {name: ranking.metrics[name] for name in (f"recall@{k}", f"ndcg@{k}")},
    }, representation


def make_validator(recommender: Recommender, data: Dataset, monitor: str) -> Callable[[Params], dict[str, float]]:
    """Returns params -> metrics on the validation part.

    Args:
        recommender: the model; `encode` is compiled once.
        data: the data set.
        monitor: `auc`, `acc`, `f1` for click-through metrics, or `METRIC@K` for the ranking
            metrics at K.

    Returns:
        The function; it returns nothing where the validation part is empty.

    Raises:
        InputError: the metric is unknown, or needs both labels and the validation part has only one.
    """
    if not data.validation.users.size:
        return lambda params: {}
    encode = jax.jit(recommender.encode)
    name, _, k = monitor.partition("@")
    if name in ("precision", "recall", "ndcg", "hit_rate") and k.isdigit() and int(k) > 0:

        def rank(params: Params) -> dict[str, float]:
            representation = encode(params, recommender.inputs)
            relevant, seen = data.validation.positives(), data.seen("train")
            ranking = rank_users(recommender, representation, data.n_items, relevant, seen, (int(k),))
            return {metric: float(v.mean()) for metric, v in ranking.metrics.items()}

        return rank
    if monitor not in ("auc", "acc", "f1"):
        raise InputError(f"training.monitor: unknown metric {monitor!r}; choose auc, acc, f1, recall@20, ndcg@20, ...")
    if not _has_both_labels(data.validation):
        raise InputError(f"training.monitor: {monitor} needs validation rows of both labels; choose e.g. recall@20")

    def click(params: Params) -> dict[str, float]:
        representation = encode(params, recommender.inputs)
        return click_metrics(predict(recommender, representation, data.validation), data.validation.labels)

    return click


def _has_both_labels(rows: Interactions) -> bool:
    return len(np.unique(rows.labels)) > 1
