import numpy as np

from hkjax.regression import fit_logistic


def test_logistic_regression_recovers_its_weights():
    random = np.random.default_rng(0)
    x = random.normal(size=(200_000, 2))
    p = 1 / (1 + np.exp(-(0.5 - 1.0 * x[:, 0] + 2.0 * x[:, 1])))
    weights = fit_logistic(x, (random.random(len(x)) < p).astype(int))
    np.testing.assert_allclose(weights, [0.5, -1.0, 2.0], atol=0.03)


def test_logistic_regression_of_separable_rows_is_finite():
    assert np.isfinite(fit_logistic(np.array([[-1.0], [1.0]]), np.array([0, 1]))).all()
