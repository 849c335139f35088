"""The Poincare ball's operations on vectors given by coefficients along a few others.

Moebius addition, exponential and logarithmic maps and projection only rescale and add their arguments, by factors that
depend on inner products. So the result for vectors in the span of h, t, r, ... lies in that span. Its coefficients
are scalar functions of the arguments' coefficients and of the inner products of h, t, r, ...

A vector is a dict of its coefficients by axis, such as {"h": alpha, "t": beta}; that of an absent axis is 0. `g` is the
Gram matrix: an object with the inner products as attributes `hh`, `ht`, ..., named in the order h, t, r. All are
arrays of one shape. The curvature is -1.
"""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.geometry import radial
from hkjax.geometry.poincare import margin
from hkjax.ops.rows import materialize

Vector = dict[str, jax.Array]

_ORDER = "htr"


def combine(a: jax.Array | int, x: Vector, b: jax.Array | int, y: Vector) -> Vector:
    """Computes a x + b y."""
    total = {axis: a * part for axis, part in x.items()}
    for axis, part in y.items():
        total[axis] = total[axis] + b * part if axis in total else b * part
    return total


def square(x: Vector, g: Any) -> jax.Array:
    """Computes |x|^2, at least 0."""
    axes = sorted(x, key=_ORDER.index)
    terms = [x[a] * x[a] * getattr(g, a + a) for a in axes]
    terms += [2 * x[a] * x[b] * getattr(g, a + b) for a, b in itertools.combinations(axes, 2)]
    return materialize(jnp.maximum(sum(terms[1:], start=terms[0]), 0))


def gap(x: Vector, g: Any) -> jax.Array:
    """Computes 1 - |x|^2, at least the margin."""
    return jnp.maximum(1 - square(x, g), margin(next(iter(x.values())).dtype))


def exp_map_zero(axis: str, g: Any) -> Vector:
    """Applies `poincare.exp_map_zero` to the vector of one axis."""
    return {axis: radial.tanhc(getattr(g, axis + axis))}


def mobius_add(x: Vector, y: Vector, g: Any, gap_of_y: jax.Array | None = None) -> Vector:
    """Computes `poincare.mobius_add`; `gap_of_y` is 1 - |y|^2 where it is known more precisely."""
    b = gap(y, g) if gap_of_y is None else gap_of_y
    x, y, b = jax.tree.map(materialize, (x, y, b))
    a = gap(x, g)
    s = square(combine(1, x, 1, y), g)
    # Exactly, it is at least (1 - |x||y|)^2 >= (a + b - ab)^2 / 4. Less than half of that is cancellation.
    denominator = jnp.maximum(s + a * b, (a + b - a * b) ** 2 / 8)
    return combine((s + a) / denominator, x, a / denominator, y)


def exp_map(x: Vector, axis: str, g: Any) -> Vector:
    """Applies `poincare.exp_map` at x to the vector of one axis."""
    a, length = gap(x, g), getattr(g, axis + axis)
    t = length / a**2
    b = jnp.maximum(radial.sech2(t), margin(length.dtype))
    return mobius_add(x, {axis: radial.tanhc(t) / a}, g, gap_of_y=b)


def log_map(x: Vector, y: Vector, g: Any, reach: float = math.inf) -> Vector:
    """Computes `poincare.log_map` at x; its artanh is cut at `reach`."""
    x, y = jax.tree.map(materialize, (x, y))
    a, b = gap(x, g), gap(y, g)
    s = square(combine(1, y, -1, x), g)
    t = materialize(s / (a * b))
    if reach == math.inf:
        ratio = radial.log_ratio(t)
    else:
        # arsinh(sqrt(t)) is the map's artanh; beyond the reach its ratio to sqrt(t) is replaced.
        far = t > math.sinh(reach) ** 2
        cut = reach / jnp.sqrt(jnp.where(far, t * (1 + t), 1))
        ratio = jnp.where(far, cut, radial.log_ratio(jnp.where(far, 1, t)))
    return combine(ratio * a / b, y, -ratio * (a + s) / b, x)


def project(x: Vector, g: Any, eps: float) -> Vector:
    """Moves x radially onto the sphere of radius 1 - eps if it lies outside, as in `poincare.project`."""
    norm2 = square(x, g)
    outside = norm2 > (1 - eps) ** 2
    factor = jnp.where(outside, (1 - eps) / jnp.sqrt(jnp.where(outside, norm2, 1)), 1)
    return {axis: factor * part for axis, part in x.items()}
