"""Ridge regression in closed form."""

import chex
import jax
import jax.numpy as jnp

_RELATIVE_PENALTY = 1e-3


def ridge_regression(x: jax.Array, y: jax.Array) -> jax.Array:
    """The W [d, e] that minimises |x W - y|^2 + penalty |W|^2; the penalty is 1/1000 of x^T x's mean eigenvalue.

    Args:
        x: [rows, d].
        y: [rows, e].
    """
    chex.assert_rank([x, y], [2, 2])
    chex.assert_equal_shape_prefix([x, y], 1)
    gram = x.T @ x
    penalty = _RELATIVE_PENALTY * jnp.trace(gram) / x.shape[1] + jnp.finfo(x.dtype).tiny
    return jnp.linalg.solve(gram + penalty * jnp.eye(x.shape[1], dtype=x.dtype), x.T @ y)
