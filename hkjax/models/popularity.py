"""Baselines without learned embeddings: a model has to beat them before it has learned anything."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset, Interactions
from hkjax.models.base import Batch, Metrics, Params, Recommender
from hkjax.regression import fit_logistic


def popularity(data: Dataset) -> Recommender:
    """Scores an item by the number of its positives in train.

    Its probabilities are a logistic regression on log(1 + count), fitted on the validation part. AUC and ranking are
    those of the raw count if popular items are likelier to be positive there.
    """
    return _linear_baseline(data, np.zeros((data.n_users, 0)), _log_counts(data))


def balance_and_popularity(data: Dataset) -> Recommender | None:
    """Adds the user's own balance of labels in train, log((positives + 1) / (negatives + 1)), to `popularity`.

    Where every positive row comes with one negative row and rows are split at random, the balance in train predicts
    the balance in test. A model may exploit this leak of the protocol unseen. Hence this baseline. Its regression is
    also fitted on the validation part. None where all rows are positives.
    """
    if data.train.labels.all():
        return None
    positives, rows = (np.bincount(part.users, minlength=data.n_users) for part in (data.train.positives(), data.train))
    balance = np.log((positives + 1) / (rows - positives + 1))
    return _linear_baseline(data, balance[:, None], _log_counts(data))


def _log_counts(data: Dataset) -> np.ndarray:
    return np.log1p(np.bincount(data.train.positives().items, minlength=data.n_items))[:, None]


def _linear_baseline(data: Dataset, user_features: np.ndarray, item_features: np.ndarray) -> Recommender:
    """Builds a recommender with a logistic regression on features [users, k] and [items, l] as logits."""
    inputs = {"user": jnp.asarray(user_features, jnp.float32), "item": jnp.asarray(item_features, jnp.float32)}
    weights = _fit(data.validation, user_features, item_features)
    n_user = user_features.shape[1]

    def encode(params: Params, inputs: dict[str, jax.Array]) -> dict[str, jax.Array]:
        intercept, user, item = params["weights"][0], params["weights"][1 : 1 + n_user], params["weights"][1 + n_user :]
        return {"user": inputs["user"] @ user + intercept, "item": inputs["item"] @ item}

    def score_pairs(representation: dict[str, jax.Array], users: jax.Array, items: jax.Array) -> jax.Array:
        return representation["user"][users] + representation["item"][items]

    def loss(params: Params, inputs: dict[str, jax.Array], batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        del key
        logits = score_pairs(encode(params, inputs), batch["user"], batch["item"])
        entropies = optax.sigmoid_binary_cross_entropy(logits, batch["label"].astype(logits.dtype))
        value = jnp.mean(batch["weight"] * entropies)
        return value, {"loss": value}

    columns = {"user": data.train.users, "item": data.train.items, "label": data.train.labels}
    return Recommender(
        inputs=inputs,
        batches=bucket_by_length(columns, batch_size=min(1024, data.train.users.size)),
        init=lambda key: {"weights": jnp.asarray(weights, jnp.float32)},
        loss=loss,
        encode=encode,
        score_pairs=score_pairs,
        score_all_items=lambda r, users: r["user"][users][:, None] + r["item"],
    )


def _fit(rows: Interactions, user_features: np.ndarray, item_features: np.ndarray) -> np.ndarray:
    features = np.concatenate([user_features[rows.users], item_features[rows.items]], axis=1)
    if len(np.unique(rows.labels)) < 2:
        # Nothing to calibrate on: the features themselves are enough for a ranking.
        return np.append(0.0, np.ones(features.shape[1]))
    return fit_logistic(features, rows.labels)
