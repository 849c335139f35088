"""ItemKNN and EASE against their definitions, on dense matrices."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.models import item_based
from hkjax.models.item_based import ease, item_knn


def dense(data):
    positives = data.train.positives()
    x = np.zeros((data.n_users, data.n_items))
    x[positives.users, positives.items] = 1
    return x


def unseen_scores(recommender, data):
    """All scores, and which items the users met in neither train nor validation."""
    seen = data.seen("train", "validation")
    unseen = np.ones((data.n_users, data.n_items), bool)
    unseen[seen.users, seen.items] = False
    return np.asarray(recommender.score_all_items(recommender.inputs, jnp.arange(data.n_users))), unseen


@pytest.mark.parametrize("more_users", [True, False])
def test_ease_is_the_ridge_regression_of_items_on_items(tiny_data, more_users):
    data = tiny_data
    if not more_users:
        few = data.n_items - 5
        parts = {name: getattr(data, name).select(getattr(data, name).users < few) for name in ("train", "validation")}
        data = dataclasses.replace(data, n_users=few, **parts, test=data.test.select(data.test.users < few))
    x = dense(data)
    inverse = np.linalg.inv(x.T @ x + item_based._L2 * np.eye(data.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores, unseen = unseen_scores(ease(data), data)
    np.testing.assert_allclose(scores[unseen], (x @ weights)[unseen], rtol=2e-3, atol=1e-5)
    assert (scores[~unseen] == -np.inf).all()


def test_item_knn_sums_damped_cosines(tiny_data):
    x = dense(tiny_data)
    length = np.sqrt(x.sum(0))
    cosine = x.T @ x / (np.outer(length, length) + item_based._SHRINKAGE)
    np.fill_diagonal(cosine, 0)
    scores, unseen = unseen_scores(item_knn(tiny_data), tiny_data)
    np.testing.assert_allclose(scores[unseen], (x @ cosine)[unseen], rtol=1e-5, atol=1e-6)


def test_item_knn_keeps_the_nearest_items_alone(tiny_data, monkeypatch):
    monkeypatch.setattr(item_based, "_N_NEIGHBOURS", 2)
    monkeypatch.setattr(item_based, "_BLOCK_ENTRIES", 7 * tiny_data.n_items)
    x = dense(tiny_data)
    length = np.sqrt(x.sum(0))
    cosine = x.T @ x / (np.outer(length, length) + item_based._SHRINKAGE)
    np.fill_diagonal(cosine, 0)
    bound = np.sort(cosine, axis=1)[:, -2:-1]
    scores, unseen = unseen_scores(item_knn(tiny_data), tiny_data)
    # Ties at the bound may fall either way.
    low, high = x @ np.where(cosine > bound, cosine, 0), x @ np.where(cosine >= bound, cosine, 0)
    assert ((scores >= low - 1e-5) & (scores <= high + 1e-5))[unseen].all()


def test_ease_is_left_out_where_it_takes_too_long(tiny_data, monkeypatch):
    monkeypatch.setattr(item_based, "_MOST_FOR_EASE", 3)
    assert ease(tiny_data) is None
