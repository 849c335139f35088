"""Logistic regression, for baselines and for calibration."""

import numpy as np


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
