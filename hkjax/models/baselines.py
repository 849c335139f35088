"""Baselines: what a model has to beat before it has learned anything."""

import jax.numpy as jnp
import numpy as np
import optax

from hkjax.data.dataset import Dataset, Interactions
from hkjax.data.sampling import stratify
from hkjax.models.base import Recommender


def popularity(data: Dataset) -> Recommender:
    """Scores an item by how many users liked it in train.

    Its probabilities are a logistic regression on log(1 + count), fitted on the validation part: AUC and
    ranking are those of the raw count wherever popular items are likelier to be liked there.
    """
    counts = np.bincount(data.train.positives().items, minlength=data.n_items)
    return _linear_baseline(data, np.zeros((data.n_users, 0)), np.log1p(counts)[:, None])


def balance_and_popularity(data: Dataset) -> Recommender:
    """Adds the user's own balance of labels in train, log((liked + 1) / (unliked + 1)), to `popularity`.

    Where every liked row comes with one unliked row and rows are split at random, the balance in
    train tells something of the balance in test: a leak of the protocol, which a model may exploit
    unseen. Hence this baseline. Its regression, too, is fitted on the validation part.
    """
    counts = np.bincount(data.train.positives().items, minlength=data.n_items)
    liked, rows = (np.bincount(part.users, minlength=data.n_users) for part in (data.train.positives(), data.train))
    balance = np.log((liked + 1) / (rows - liked + 1))
    return _linear_baseline(data, balance[:, None], np.log1p(counts)[:, None])


def fit_logistic(features: np.ndarray, labels: np.ndarray, ridge: float = 1e-3, steps: int = 25) -> np.ndarray:
    """Logistic regression by Newton's method.

    Args:
        features: [rows, k].
        labels: 0 or 1, [rows].
        ridge: weight of the squared norm, which keeps separable data finite.
        steps: Newton steps.

    Returns:
        The weights [1 + k], intercept first.
    """
    x = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - labels) + ridge * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights


def _linear_baseline(data: Dataset, user_features: np.ndarray, item_features: np.ndarray) -> Recommender:
    """A recommender whose logits are a logistic regression on features of the user and of the item."""
    inputs = {"user": jnp.asarray(user_features, jnp.float32), "item": jnp.asarray(item_features, jnp.float32)}
    weights = _fit(data.validation, user_features, item_features)
    n_user = user_features.shape[1]

    def encode(params, inputs):
        intercept, user, item = params["weights"][0], params["weights"][1 : 1 + n_user], params["weights"][1 + n_user :]
        return {"user": inputs["user"] @ user + intercept, "item": inputs["item"] @ item}

    def score(representation, users, items):
        return representation["user"][users] + representation["item"][items]

    def loss(params, inputs, batch, key):
        logits = score(encode(params, inputs), batch["user"], batch["item"])
        entropies = optax.sigmoid_binary_cross_entropy(logits, batch["label"].astype(logits.dtype))
        value = jnp.mean(batch["weight"] * entropies)
        return value, {"loss": value}

    columns = {"user": data.train.users, "item": data.train.items, "label": data.train.labels}
    return Recommender(
        inputs=inputs,
        batches=stratify(columns, batch_size=min(1024, data.train.users.size)),
        init=lambda key: {"weights": jnp.asarray(weights, jnp.float32)},
        loss=loss,
        encode=encode,
        score=score,
        rank_scores=lambda r, users: r["user"][users][:, None] + r["item"],
    )


def _fit(rows: Interactions, user_features: np.ndarray, item_features: np.ndarray) -> np.ndarray:
    features = np.concatenate([user_features[rows.users], item_features[rows.items]], axis=1)
    if rows.labels.min() == rows.labels.max():
        # Nothing to calibrate on: the features themselves, which is enough for a ranking.
        return np.append(0.0, np.ones(features.shape[1]))
    return fit_logistic(features, rows.labels)
