"""Metrics of click-through predictions and of rankings, in NumPy float64."""

from collections.abc import Sequence

import numpy as np


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Computes the exact area under the ROC curve; a tie between a positive and a negative counts half.

    Args:
        scores: [rows], higher for more likely.
        labels: 0 or 1, [rows].

    Returns:
        The probability that a random positive scores above a random negative; nan where one of
        the classes is absent.
    """
    return float(weighted_auc(scores, labels, np.ones((1, len(scores))))[0])


def weighted_auc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Computes `auc` with the given multiplicities of rows: [samples] from weights [samples, rows]."""
    if not len(scores):
        return np.full(len(weights), np.nan)
    order = np.argsort(scores, kind="stable")
    scores, labels, weights = scores[order], labels[order], weights[:, order]
    first = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))
    positives = np.add.reduceat(weights * labels, first, axis=1)
    negatives = np.add.reduceat(weights * (1 - labels), first, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (positives * below).sum(axis=1) / pairs


def click_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Computes metrics of predicted click-through.

    Args:
        logits: [rows]; the predicted probability of label 1 is their sigmoid.
        labels: 0 or 1, [rows].

    Returns:
        `auc`; `acc` and `f1` at the probability 0.5; `log_loss` in nats; `calibration_error`, the
        expected distance between predicted and observed frequency in 10 equal-width bins.
    """
    predicted, positive = logits > 0, labels == 1
    hits = float((predicted & positive).sum())
    # log(1 + exp(-z)), for z positive where the prediction is right.
    log_loss = np.logaddexp(0, np.where(positive, -logits, logits)).mean()
    return {
        "auc": auc(logits, labels),
        "acc": float((predicted == positive).mean()),
        "f1": 2 * hits / max(float(predicted.sum() + positive.sum()), 1.0),
        "log_loss": float(log_loss),
        "calibration_error": calibration_error(logits, labels),
    }


def calibration_error(logits: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> float:
    """Computes the mean over rows of |mean predicted - observed frequency| of the row's bin."""
    probabilities = np.exp(-np.logaddexp(0, -logits))
    bins = np.minimum((probabilities * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, probabilities - labels, minlength=n_bins)
    return float(np.abs(gaps).sum() / max(len(labels), 1))


def ranking_metrics(hits: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Computes metrics of the top of each user's ranking.

    Args:
        hits: bool [users, depth], true where the item at a rank is relevant.
        n_relevant: int [users], relevant items of the user, at least 1.
        ks: the cut-offs K; beyond the depth the ranking has no further items.

    Returns:
        For every K arrays [users]: `precision@K` = hits / K; `recall@K` = hits / relevant;
        `ndcg@K`, against min(relevant, K) hits on top; `hit_rate@K` = any hit.
    """
    found = np.cumsum(hits, axis=1)
    discounts = 1 / np.log2(np.arange(2, max(hits.shape[1], max(ks)) + 2))
    gains, ideal = np.cumsum(hits * discounts[: hits.shape[1]], axis=1), np.cumsum(discounts)
    metrics = {}
    for k in ks:
        last = min(k, hits.shape[1]) - 1
        metrics[f"precision@{k}"] = found[:, last] / k
        metrics[f"recall@{k}"] = found[:, last] / n_relevant
        metrics[f"ndcg@{k}"] = gains[:, last] / ideal[np.minimum(n_relevant, k) - 1]
        metrics[f"hit_rate@{k}"] = (found[:, last] > 0).astype(np.float64)
    return metrics
