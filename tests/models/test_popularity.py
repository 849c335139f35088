import jax
import numpy as np

from hkjax.evaluation.ctr import predict
from hkjax.evaluation.metrics import auc
from hkjax.models.popularity import balance_and_popularity, fit_logistic, popularity


def test_popularity_orders_rows_by_the_raw_count(tiny_data):
    recommender = popularity(tiny_data)
    representation = recommender.encode(recommender.init(jax.random.key(0)), recommender.inputs)
    counts = np.bincount(tiny_data.train.positives().items, minlength=tiny_data.n_items)
    expected = auc(counts[tiny_data.test.items].astype(float), tiny_data.test.labels)
    assert auc(predict(recommender, representation, tiny_data.test), tiny_data.test.labels) == expected


def test_the_balance_shifts_a_user_by_their_own_labels(tiny_data):
    recommender = balance_and_popularity(tiny_data)
    liked = np.bincount(tiny_data.train.positives().users, minlength=tiny_data.n_users)
    rows = np.bincount(tiny_data.train.users, minlength=tiny_data.n_users)
    np.testing.assert_allclose(recommender.inputs["user"][:, 0], np.log((liked + 1) / (rows - liked + 1)), rtol=1e-6)


def test_logistic_regression_recovers_its_weights():
    random = np.random.default_rng(0)
    x = random.normal(size=(200_000, 2))
    p = 1 / (1 + np.exp(-(0.5 - 1.0 * x[:, 0] + 2.0 * x[:, 1])))
    weights = fit_logistic(x, (random.random(len(x)) < p).astype(int))
    np.testing.assert_allclose(weights, [0.5, -1.0, 2.0], atol=0.03)


def test_logistic_regression_of_separable_rows_is_finite():
    assert np.isfinite(fit_logistic(np.array([[-1.0], [1.0]]), np.array([0, 1]))).all()
