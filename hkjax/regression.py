"""Ridge regression in closed form, and logistic regression by Newton's method."""

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.shapes import check_prefix, check_rank

_RELATIVE_PENALTY = 1e-3


def ridge_regression(x: jax.Array, y: jax.Array) -> jax.Array:
    """Computes the W [d, e] that minimises |x W - y|^2 + penalty |W|^2.

    The penalty is 1/1000 of the mean eigenvalue of x^T x.

    Args:
        x: [rows, d].
        y: [rows, e].
    """
    check_rank("ridge_regression", 2, x=x, y=y)
    check_prefix("ridge_regression", x=x, y=y)
    gram = x.T @ x
    penalty = _RELATIVE_PENALTY * jnp.trace(gram) / x.shape[1] + jnp.finfo(x.dtype).tiny
    return jnp.linalg.solve(gram + penalty * jnp.eye(x.shape[1], dtype=x.dtype), x.T @ y)


def fit_logistic(features: np.ndarray, labels: np.ndarray, ridge: float = 1e-3, steps: int = 25) -> np.ndarray:
    """Fits a logistic regression by Newton's method.

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
