"""Sweeps for NaN and infinity in values, gradients and Hessians."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# A result, and all results, in the order of `_KINDS`.
_Found = tuple[Any, tuple[Any, ...]]
_KINDS = ("value", "gradient", "Hessian")

_DTYPES = (jnp.float32, jnp.float64, jnp.bfloat16)


def check_finite(
    function: Callable[..., jax.Array],
    reaches: Sequence[float],
    *,
    d: int = 3,
    dtypes: Sequence[Any] = _DTYPES,
    n: int = 60,
    order: int = 2,
    seed: int = 0,
) -> None:
    """Checks a function of points, its gradient and its Hessian for NaN and infinity all over a domain.

    The points' norms are log-uniform from 1e-15 to the domain's boundary. Added are the exact
    points 0 and the boundary, in all combinations, and for two points x = y and x = -y.

    Args:
        function: (points [d], one for each entry of `reaches`) -> an array of their dtype.
        reaches: for each argument the norm of the domain's boundary, which is included: 1 / sqrt(c) for a
            point of the ball, any norm for a tangent vector.
        d: dimension of the points.
        dtypes: of the points.
        n: number of random points.
        order: 0 for values, 1 also for gradients, 2 also for Hessians.
        seed: of the random points.

    Raises:
        AssertionError: a result is not finite, or has another dtype; the message names the point.
    """
    everything = tuple(range(len(reaches)))

    def value(*points: jax.Array) -> _Found:
        result = function(*points)
        return result, (result,)

    def derivative(jacobian: Any, inner: Callable[..., _Found]) -> Callable[..., _Found]:
        """Differentiates `inner` and adds to what it found: one trace for all."""

        def outer(*points: jax.Array) -> _Found:
            result, found = jacobian(inner, everything, has_aux=True)(*points)
            return result, (*found, result)

        return outer

    gradient = derivative(jax.jacrev, value)
    of_order = (value, gradient, derivative(jax.jacfwd, gradient))[order]
    compiled = jax.jit(jax.vmap(lambda *points: of_order(*points)[1]))

    with jax.enable_x64(True):
        swept = sweep(reaches, d, n, seed)
        for dtype in dtypes:
            points = [jnp.asarray(x).astype(dtype) for x in swept]
            results = compiled(*points)
            for kind, result in zip(_KINDS, results, strict=False):
                for leaf in jax.tree.leaves(result):
                    assert leaf.dtype == dtype, f"{kind}: dtype {leaf.dtype} from points of {jnp.dtype(dtype)}"
                    bad = ~np.isfinite(np.asarray(leaf, np.float64)).reshape(len(leaf), -1).all(axis=1)
                    where = [x[bad][0].tolist() for x in swept] if bad.any() else None
                    assert where is None, f"{kind} in {jnp.dtype(dtype)}: not finite at {where}"


def sweep(reaches: Sequence[float], d: int, n: int, seed: int) -> list[np.ndarray]:
    """Returns the points of `check_finite`, float64 [points, d] for each argument."""
    random = np.random.default_rng(seed)

    def along(norms: np.ndarray) -> np.ndarray:
        directions = random.normal(size=(len(norms), d))
        return norms[:, None] * directions / np.linalg.norm(directions, axis=1, keepdims=True)

    log_uniform = [along(reach * 10 ** random.uniform(-15, 0, n)) for reach in reaches]
    axis = np.eye(d)[0]
    corners = np.stack(np.meshgrid(*[[0, 1e-15, 0.5, 1]] * len(reaches), indexing="ij"), -1).reshape(-1, len(reaches))
    exact = [np.outer(corners[:, k] * reach, axis) for k, reach in enumerate(reaches)]
    opposite = [x * (-1) ** k for k, x in enumerate(exact)]
    same = [log_uniform[0] * reach / reaches[0] for reach in reaches]
    mirrored = [x * (-1) ** k for k, x in enumerate(same)]
    return [np.concatenate(parts) for parts in zip(log_uniform, exact, opposite, same, mirrored, strict=True)]
