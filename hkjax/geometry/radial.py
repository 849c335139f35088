"""Functions of one radius that stay smooth at 0: the scalar parts of the maps on the ball.

Each takes the squared radius t = r^2 >= 0 and is a power series in it. Below a threshold the series
is summed; above it the closed form is used. Below, the closed form gets another radius, so that no branch
ever differentiates a square root at 0 (the "double where").
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from hkjax.geometry._vectorize import Array

_THRESHOLD = 0.02


def _series(*coefficients: float) -> Callable[[Array], jax.Array]:
    def polynomial(t: Array) -> jax.Array:
        total = jnp.full_like(t, coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = total * t + coefficient
        return total

    return polynomial


_TANHC = _series(1, -1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925, 21844 / 6081075, -929569 / 638512875)
_ARTANHC = _series(*(1 / (2 * k + 1) for k in range(10)))
_ASINHC = _series(
    *((-1) ** k * math.factorial(2 * k) / (4**k * math.factorial(k) ** 2 * (2 * k + 1)) for k in range(10))
)


def tanhc(t: Array) -> jax.Array:
    """Computes tanh(r)/r from t = r^2."""
    small, r = _small_or_radius(t)
    return jnp.where(small, _TANHC(jnp.where(small, t, 0)), jnp.tanh(r) / r)


def artanhc(t: Array) -> jax.Array:
    """Computes artanh(r)/r from t = r^2 < 1."""
    small, r = _small_or_radius(t, elsewhere=0.25)
    return jnp.where(small, _ARTANHC(jnp.where(small, t, 0)), jnp.arctanh(r) / r)


def log_ratio(t: Array) -> jax.Array:
    """Computes arsinh(r) / (r sqrt(1 + r^2)) from t = r^2."""
    small, r = _small_or_radius(t)
    ratio = jnp.where(small, _ASINHC(jnp.where(small, t, 0)), jnp.arcsinh(r) / r)
    return ratio / jnp.sqrt(1 + t)


def sech2(t: Array) -> jax.Array:
    """Computes sech(r)^2 = 1 - tanh(r)^2 from t = r^2, without cancellation."""
    small, r = _small_or_radius(t)
    e = jnp.exp(-2 * r)
    return jnp.where(small, 1 - jnp.where(small, t, 0) * tanhc(t) ** 2, 4 * e / (1 + e) ** 2)


def norm(x: Array) -> jax.Array:
    """Computes the Euclidean norm of [d], free of overflow, with gradient and Hessian 0 at 0."""
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(x), initial=0))
    scale = jnp.where(scale > 0, scale, 1)
    square = (x / scale) @ (x / scale)
    zero = square == 0
    return jnp.where(zero, 0, scale * jnp.sqrt(jnp.where(zero, 1, square)))


def _small_or_radius(t: Array, elsewhere: float = 1.0) -> tuple[jax.Array, jax.Array]:
    """Returns whether t is below the threshold, and the radius: sqrt(elsewhere) where it is."""
    small = t < _THRESHOLD
    return jnp.asarray(small), jnp.sqrt(jnp.where(small, jnp.asarray(elsewhere, t.dtype), t))
