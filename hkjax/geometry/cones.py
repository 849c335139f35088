"""Entailment cones on the Poincare ball of curvature -c (Ganea, Becigneul, Hofmann, ICML 2018).

The cone at x opens away from 0. Points in the cone of a general concept are instances of it. The nearer x
is to 0, the wider is its cone.
"""

import jax
import jax.numpy as jnp

from hkjax.geometry import radial
from hkjax.geometry._vectorize import Array, Scalar, pointwise

# Least distance of the arcsine's argument from 1, as in HAKG's code, where it bounds the gradient.
APERTURE_MARGIN = 1e-6


@pointwise("(d),(),()->()")
def half_aperture(x: Array, k: Scalar, c: Scalar) -> Array:
    """Computes psi_x = arcsin(K (1 - c|x|^2) / (sqrt(c)|x|)), the half-angle of the cone at x: [d], [] -> [].

    The arcsine's argument is cut at 1 - 1e-6, in bfloat16 at 1 - 2^-7. At and near 0, where it would exceed 1,
    the cone is almost a half-space and the gradient is 0.
    """
    return half_aperture_of(c * (x @ x), k)


def half_aperture_of(square: Array, k: Scalar) -> jax.Array:
    """Computes `half_aperture` from c|x|^2, of any shape; 0 outside the ball."""
    largest = 1 - max(APERTURE_MARGIN, float(jnp.finfo(square.dtype).eps))
    norm = jnp.sqrt(jnp.where(square > 0, square, 1))
    sine = jnp.where(square > 0, k * (1 - square) / norm, largest)
    return jnp.arcsin(jnp.clip(sine, 0, largest))


def clipped_half_aperture_of(square: Array, k: Scalar, eps: float = APERTURE_MARGIN) -> jax.Array:
    """Computes `half_aperture_of` as in HAKG's code: c|x|^2 is cut at 1 - eps, which gives K eps outside the ball."""
    return half_aperture_of(jnp.minimum(square, 1 - eps), k)


@pointwise("(d),(d),()->()")
def angle_at_apex(x: Array, y: Array, c: Scalar) -> Array:
    """Computes the angle at x between its cone's axis and the geodesic to y, in [0, pi]: [d], [d] -> [].

    With x and y times sqrt(c), it is

        arccos( (<x,y>(1 + |x|^2) - |x|^2 (1 + |y|^2)) / (|x| |x - y| sqrt(1 + |x|^2 |y|^2 - 2<x,y>)) )

    evaluated as an arctangent, so that value and gradient are accurate where the arccosine's derivative
    is infinite. On the axis, where the angle is not differentiable, the gradient is the subgradient 0.
    For x = 0 or x = y, where no angle is defined, value and gradient are 0.
    """
    x, y = jnp.sqrt(c) * x, jnp.sqrt(c) * y
    length = radial.norm(x)
    axis = x / jnp.where(length > 0, length, 1)
    return _angle(length, axis @ y, radial.norm(y - (axis @ y) * axis), y @ y)


def angle_at_apex_of(xx: jax.Array, xy: jax.Array, yy: jax.Array) -> jax.Array:
    """Computes `angle_at_apex` from c|x|^2, c<x,y> and c|y|^2, of any shape; in float32 for |x| above 1e-11.

    These give y's distance from the axis less precisely than x and y: for an angle near 0 rounding may
    leave about sqrt(eps) |y| / |x - y|.
    """
    length = _root(xx)
    foot = xy / jnp.where(length > 0, length, 1)
    return _angle(length, foot, _root(yy - foot**2), yy)


def clipped_angle_of(xx: jax.Array, xy: jax.Array, yy: jax.Array, eps: float = 1e-6) -> jax.Array:
    """Computes the angle as in HAKG's code: eps added to the denominator, the cosine cut at 1 - eps.

    Its gradient is 0 within 0.08 degrees of the axis. Arguments as in `angle_at_apex_of`.
    """
    denominator = _root(xx * jnp.maximum(xx + yy - 2 * xy, 0) * (1 + xx * yy - 2 * xy)) + eps
    return jnp.arccos(jnp.clip((xy * (1 + xx) - xx * (1 + yy)) / denominator, -1 + eps, 1 - eps))


def _angle(length: jax.Array, along: jax.Array, across: jax.Array, yy: jax.Array) -> jax.Array:
    """Computes the angle at x from |x|, the parts of y along and across the axis, and |y|^2."""
    # The geodesic leaves x along (1 - |x|^2)(y - x) - |x - y|^2 x.
    ahead = along * (1 + length**2) - length * (1 + yy)
    aside = (1 - length**2) * across
    scale = jax.lax.stop_gradient(jnp.maximum(jnp.abs(ahead), jnp.abs(aside)))
    defined = (length > 0) & (scale > 0)
    scale = jnp.where(defined, scale, 1)
    return jnp.where(defined, jnp.arctan2(aside / scale, jnp.where(defined, ahead / scale, 1)), 0)


def _root(square: jax.Array) -> jax.Array:
    """Computes the square root, or 0 with gradient 0 where rounding made the square 0 or less."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)
