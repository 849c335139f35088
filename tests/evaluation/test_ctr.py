import numpy as np

from hkjax.data.dataset import Interactions
from hkjax.evaluation.ctr import bootstrap_weights, calibrate, click_intervals
from hkjax.evaluation.metrics import calibration_error


def test_bootstrap_draws_whole_users():
    users = np.array([3, 3, 7, 9, 9, 9])
    (weights,) = bootstrap_weights(users, 50, seed=0)
    assert weights.shape == (50, 6)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_array_equal(weights[:, [0, 2, 3]].sum(axis=1), 3)


def test_calibration_mends_logits_that_are_shifted_and_scaled():
    random = np.random.default_rng(0)
    true = random.normal(size=20_000)
    labels = (random.random(true.size) < 1 / (1 + np.exp(-true))).astype(int)
    wrong = 3 * true + 2
    fitted = calibrate(wrong[:10_000], labels[:10_000], wrong[10_000:])
    assert calibration_error(wrong[10_000:], labels[10_000:]) > 0.1
    assert calibration_error(fitted, labels[10_000:]) < 0.03


def test_the_interval_of_the_accuracy_is_that_of_a_binomial():
    random = np.random.default_rng(0)
    n = 4000
    rows = Interactions(np.arange(n), np.zeros(n, int), (random.random(n) < 0.7).astype(int))
    low, high = click_intervals(np.ones(n), rows, 400, seed=0)["acc"]
    error = np.sqrt(0.7 * 0.3 / n)
    np.testing.assert_allclose([low, high], rows.labels.mean() + 1.96 * error * np.array([-1, 1]), atol=error / 4)
