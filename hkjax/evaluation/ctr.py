"""Click-through prediction: logits of given rows, their calibration, and intervals of their metrics."""

from collections.abc import Callable, Iterator
from functools import partial

import jax
import numpy as np

from hkjax.data.dataset import Interactions
from hkjax.evaluation.metrics import weighted_auc
from hkjax.models.base import Recommender, Representation
from hkjax.regression import fit_logistic
from hkjax.transfer import to_host

_WEIGHTS_PER_BLOCK = 1 << 24


def predict(recommender: Recommender, representation: Representation, rows: Interactions) -> np.ndarray:
    """Computes the logits of the rows, float64 [rows]."""
    logits = _score_pairs(recommender.score_pairs, representation, rows.users, rows.items)
    return to_host(logits).astype(np.float64)


@partial(jax.jit, static_argnums=0)
def _score_pairs(score_pairs: Callable[..., jax.Array], representation: Representation, *rows: jax.Array) -> jax.Array:
    return score_pairs(representation, *rows)


def calibrate(logits: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Fits labels [rows] by intercept + slope * logits [rows] (Platt's scaling), and maps `others` likewise."""
    intercept, slope = fit_logistic(logits[:, None], labels)
    return intercept + slope * others


def bootstrap_weights(users: np.ndarray, n_samples: int, seed: int) -> Iterator[np.ndarray]:
    """Yields the counts of each row in bootstrap samples of users, float64 [samples, rows], some samples at a time.

    Users are drawn with replacement, each with all rows: rows of one user are not independent.
    """
    _, user = np.unique(users, return_inverse=True)
    n_users = int(user.max(initial=-1)) + 1
    draws = np.random.default_rng(seed).integers(n_users, size=(n_samples, n_users))
    size = max(1, _WEIGHTS_PER_BLOCK // len(users))
    for block in np.split(draws, range(size, n_samples, size)):
        counts = np.stack([np.bincount(draw, minlength=n_users) for draw in block])
        yield counts[:, user].astype(np.float64)


def click_intervals(logits: np.ndarray, rows: Interactions, n_samples: int, seed: int) -> dict[str, list[float]]:
    """Computes 95 % bootstrap intervals of `auc` and `acc`, as [low, high]."""
    correct = (logits > 0) == (rows.labels == 1)
    samples: dict[str, list[np.ndarray]] = {"auc": [], "acc": []}
    for weights in bootstrap_weights(rows.users, n_samples, seed):
        samples["auc"].append(weighted_auc(logits, rows.labels, weights))
        samples["acc"].append(weights @ correct / weights.sum(axis=1))
    return {name: np.nanpercentile(np.concatenate(x), [2.5, 97.5]).tolist() for name, x in samples.items()}
