"""The Poincare ball of curvature -c: points x of R^d with sqrt(c) |x| < 1.

Every function is written for one point, broadcasts over leading axes, keeps the dtype of its points and
takes c > 0 as a scalar or an array. Notation and definitions are those of Ganea, Becigneul, Hofmann,
"Hyperbolic Neural Networks" (NeurIPS 2018) and Ungar, "A Gyrovector Space Approach to Hyperbolic
Geometry" (2008).

Accuracy. The usual formulas subtract nearly equal values near the boundary and divide norms by
norms at 0. Both are avoided: with a = 1 - c|x|^2, b = 1 - c|y|^2 and z = x + y,

    1 + 2c<x,y> + c^2 |x|^2 |y|^2 = c|z|^2 + ab        (a sum of non-negative terms)
    1 + 2c<x,y> + c |y|^2         = c|z|^2 + a

and maps are written as smooth functions of squared norms (tanh(r)/r is a power series in r^2), so that
values and derivatives are accurate and finite at 0 and at x = y.

The boundary. a and b are cut below at `margin(dtype)`. Nearer to the boundary, where distances grow to
infinity, every function returns its value at that margin, and derivatives through a and b are 0. This is
the only clamp in this module besides `project`.
"""

import functools

import jax
import jax.numpy as jnp

from hkjax.geometry import radial
from hkjax.geometry._vectorize import Array, Scalar, check_curvature, pointwise


def margin(dtype: jax.typing.DTypeLike) -> float:
    """Returns the smallest 1 - c|x|^2 that is distinguished from 0: four units in the last place of 1."""
    return 4 * float(jnp.finfo(dtype).eps)


@pointwise("(d),()->()")
def conformal_factor(x: Array, c: Scalar) -> Array:
    """Computes lambda_x = 2 / (1 - c|x|^2): the metric at x is lambda_x^2 times the Euclidean one. [d] -> []."""
    return 2 / _gap(x, c)


@pointwise("(d),(d),()->(d)")
def mobius_add(x: Array, y: Array, c: Scalar) -> Array:
    """Computes the Moebius sum x (+) y (Ungar, 3.189), neither commutative nor associative. [d], [d] -> [d].

        ((1 + 2c<x,y> + c|y|^2) x + (1 - c|x|^2) y) / (1 + 2c<x,y> + c^2 |x|^2 |y|^2)

    0 (+) y = y, (-x) (+) x = 0, and (-x) (+) (x (+) y) = y.
    """
    a, b, z = _gap(x, c), _gap(y, c), x + y
    s = c * (z @ z)
    return (s * x + a * z) / (s + a * b)


@pointwise("(),(d),()->(d)")
def mobius_scalar_mul(r: Scalar, x: Array, c: Scalar) -> Array:
    """Computes Moebius multiplication r (x) x = tanh(r artanh(sqrt(c)|x|)) x / (sqrt(c)|x|). [], [d] -> [d]."""
    t = _bounded_square(x, c)
    ratio = radial.artanhc(t)
    return jnp.multiply(r, radial.tanhc(jnp.square(r) * t * ratio**2)) * ratio * x


@pointwise("(d),()->(d)")
def exp_map_zero(v: Array, c: Scalar) -> Array:
    """Computes the exponential map at 0: tanh(sqrt(c)|v|) v / (sqrt(c)|v|), in the ball for any v. [d] -> [d]."""
    return radial.tanhc(c * (v @ v)) * v


@pointwise("(d),()->(d)")
def log_map_zero(y: Array, c: Scalar) -> Array:
    """Computes artanh(sqrt(c)|y|) y / (sqrt(c)|y|), the logarithmic map at 0; inverts `exp_map_zero`. [d] -> [d]."""
    return radial.artanhc(_bounded_square(y, c)) * y


@pointwise("(d),(d),()->(d)")
def exp_map(x: Array, v: Array, c: Scalar) -> Array:
    """Computes the exponential map at x: the geodesic from x with velocity v at time 1. [d], [d] -> [d].

    x (+) (tanh(sqrt(c) lambda_x |v| / 2) v / (sqrt(c)|v|)).
    """
    a = _gap(x, c)
    t = c * (v @ v) / a**2
    w = radial.tanhc(t) / a * v
    z = x + w
    s = c * (z @ z)
    b = jnp.maximum(radial.sech2(t), margin(x.dtype))
    return (s * x + a * z) / (s + a * b)


@pointwise("(d),(d),()->(d)")
def log_map(x: Array, y: Array, c: Scalar) -> Array:
    """Computes the logarithmic map at x, the inverse of `exp_map`: the velocity that takes x to y. [d], [d] -> [d].

    2/(sqrt(c) lambda_x) artanh(sqrt(c)|u|) u/|u| with u = (-x) (+) y, evaluated as a function of
    t = sinh^2(sqrt(c) distance / 2), without singularity at x = y.
    """
    a, b, z = _gap(x, c), _gap(y, c), y - x
    s = c * (z @ z)
    return radial.log_ratio(s / (a * b)) * (a * z - s * x) / b


@pointwise("(d),(d),()->()")
def distance(x: Array, y: Array, c: Scalar) -> Array:
    """Computes the geodesic distance, 2/sqrt(c) artanh(sqrt(c)|(-x) (+) y|). [d], [d] -> [].

    Evaluated as 2/sqrt(c) arsinh(sqrt(c)|x - y| / sqrt(ab)). At x = y, where it is not differentiable, the
    gradient is the subgradient 0.
    """
    root = jnp.sqrt(c)
    return 2 / root * jnp.arcsinh(root * radial.norm(x - y) / jnp.sqrt(_gap(x, c) * _gap(y, c)))


@pointwise("(d),()->()")
def distance_zero(x: Array, c: Scalar) -> Array:
    """Computes the distance from 0, 2/sqrt(c) artanh(sqrt(c)|x|), with subgradient 0 at 0. [d] -> []."""
    root = jnp.sqrt(c)
    return 2 / root * jnp.arcsinh(root * radial.norm(x) / jnp.sqrt(_gap(x, c)))


@pointwise("(d),(d),(d),()->(d)")
def gyration(x: Array, y: Array, v: Array, c: Scalar) -> Array:
    """Computes gyr[x, y]v = -(x (+) y) (+) (x (+) (y (+) v)), a rotation of v, in closed form (Ungar, 3.197).

    [d], [d], [d] -> [d]; linear in v, which may be any vector.
    """
    a, b, z = _gap(x, c), _gap(y, c), x + y
    s, zv, yv = c * (z @ z), c * (z @ v), c * (y @ v)
    return v + 2 * ((a * yv - zv) * z + (b * zv + s * yv) * x) / (s + a * b)


@pointwise("(d),(d),(d),()->(d)")
def parallel_transport(x: Array, y: Array, v: Array, c: Scalar) -> Array:
    """Carries the tangent v from x to y along their geodesic: lambda_x/lambda_y gyr[y, -x]v. [d] x 3 -> [d]."""
    return _gap(y, c) / _gap(x, c) * gyration(y, -x, v, c)


@pointwise("(n,d),(n),()->(d)")
def midpoint(points: Array, weights: Array, c: Scalar) -> Array:
    """Computes the gyromidpoint (Ungar, 6.86), the Einstein midpoint in Poincare coordinates. [n, d], [n] -> [d].

        1/2 (x) (sum_i w_i lambda_i x_i / sum_i w_i (lambda_i - 1))

    Weights are non-negative. If all are 0, the midpoint is 0. If one is negative, the ball may hold no midpoint, and
    the result is nan.
    """
    gaps = jnp.maximum(1 - c * jnp.sum(points**2, axis=-1), margin(points.dtype))
    # w (lambda - 1) = w (2 - a)/a and w lambda = 2 w/a; dividing both by sum w/a keeps them bounded.
    weight_by_gap = weights / gaps
    total = weight_by_gap.sum()
    weight_by_gap = weight_by_gap / jnp.where(total > 0, total, 1)
    mean, gap = weight_by_gap @ points, weight_by_gap @ gaps
    variance = weight_by_gap @ jnp.sum((points - mean) ** 2, axis=-1)
    # 1/2 (x) m = m / (1 + sqrt(1 - c|m|^2)) of m = 2 mean / (2 - gap), and 1 - c|m|^2 is
    # (gap^2 + 4c variance) / (2 - gap)^2.
    middle = 2 * mean / (2 - gap + jnp.sqrt(jnp.where(total > 0, gap**2 + 4 * c * variance, 1)))
    return jnp.where((weights < 0).any(), jnp.nan, middle)


def project(x: Array, c: Scalar, eps: float) -> jax.Array:
    """Moves points outside the ball of radius (1 - eps)/sqrt(c) radially onto its sphere. [..., d] -> [..., d].

    A clamp by definition: inside the ball it is the identity.
    """
    check_curvature("project", c)
    return _project(x, c, eps)


@functools.partial(jax.jit, static_argnums=2)
def _project(x: Array, c: Scalar, eps: float) -> jax.Array:

    def one(x: jax.Array, c: jax.Array) -> jax.Array:
        largest = (1 - eps) / jnp.sqrt(c)
        length = radial.norm(x)
        outside = length > largest
        return jnp.where(outside, x / jnp.where(outside, length, 1) * largest, x)

    dtype = jnp.result_type(x, 1.0)
    return jnp.vectorize(one, signature="(d),()->(d)")(jnp.asarray(x, dtype), jnp.asarray(c, dtype))


def _gap(x: Array, c: Scalar) -> jax.Array:
    """Computes 1 - c|x|^2, at least the margin."""
    return jnp.maximum(1 - c * (x @ x), margin(x.dtype))


def _bounded_square(x: Array, c: Scalar) -> jax.Array:
    """Computes c|x|^2, at most 1 - margin."""
    return jnp.minimum(c * (x @ x), 1 - margin(x.dtype))
