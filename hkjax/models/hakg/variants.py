"""Other forms of HAKG's equations: the official code's (github.com/Scottdyt/HAKG), and without hyperbolic geometry."""

import math

import jax
import jax.numpy as jnp

from hkjax.geometry import cones, poincare
from hkjax.shapes import check


def official_message(h: jax.Array, r: jax.Array, t: jax.Array, eps: float) -> jax.Array:
    """Computes log_x(project(exp_x(t) (+) exp_x(r))) with x = project(exp_0(h)), tangent at x, [d] from [d].

    h, r, t are tangent vectors at 0, of which t and r are used at x, unchanged. `eps` in (0, 1) is the projections'
    distance from the boundary. As in the code, the artanh inside the logarithm is cut at 1 - 1e-5.

    Example:
        >>> official_message(jnp.zeros(2), jnp.zeros(2), jnp.array([1.0, 0.0]), eps=1e-5).round(4).tolist()
        [1.0, 0.0]
    """
    check("official_message", h=(h, "d"), r=(r, "d"), t=(t, "d"))
    x = poincare.project(poincare.exp_map_zero(h, 1.0), 1.0, eps)
    y = poincare.mobius_add(poincare.exp_map(x, t, 1.0), poincare.exp_map(x, r, 1.0), 1.0)
    v = poincare.log_map(x, poincare.project(y, 1.0, eps), 1.0)
    # The length of v is 2 artanh(.) / lambda_x.
    longest = 2 * math.atanh(1 - 1e-5) / poincare.conformal_factor(x, 1.0)
    too_long = v @ v > longest**2
    return jnp.where(too_long, longest / jnp.sqrt(jnp.where(too_long, v @ v, 1)), 1) * v


def official_angle_loss(x: jax.Array, y: jax.Array, K: float) -> jax.Array:  # noqa: N803
    """Computes the angle loss of an apex x and a point y with clipped cosine and half-aperture, [] from [d].

    The code takes parameters instead of points of the ball, both ends of a pair as apex in turn, and a fresh 0/1 mask
    of each pair's dimensions on both x and y.

    Example:
        >>> float(official_angle_loss(jnp.array([0.3, 0.0]), jnp.array([0.6, 0.01]), K=0.1))
        0.0
    """
    check("official_angle_loss", x=(x, "d"), y=(y, "d"))
    clipped = cones.clipped_angle_of(x @ x, x @ y, y @ y)
    return jax.nn.relu(clipped - cones.clipped_half_aperture_of(x @ x, K))


def euclidean_message(h: jax.Array, r: jax.Array, t: jax.Array) -> jax.Array:
    """The ablation without hyperbolic geometry, t + r - h: the limit of `message` as the curvature vanishes, [d].

    Example:
        >>> euclidean_message(*jnp.array([[1.0], [2.0], [4.0]])).tolist()
        [5.0]
    """
    check("euclidean_message", h=(h, "d"), r=(r, "d"), t=(t, "d"))
    return t + r - h
