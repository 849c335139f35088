"""The hyperbolic message of an edge (head, relation, tail), by its coefficients.

Moebius addition, exponential and logarithmic maps and projection only rescale and add their
arguments, by factors that depend on inner products. So the message of an edge is

    alpha h + beta t + gamma r

for the tangent vectors h, t, r at 0 of its head, tail and relation. The three coefficients follow from
the six inner products of h, t and r by scalar arithmetic alone. The curvature is -1 here, as in HAKG
(Du et al., SIGIR 2022, arXiv 2204.04959).
"""

import itertools
import math
from collections.abc import Callable
from functools import partial

import chex
import jax
import jax.numpy as jnp

from hkjax.geometry import radial
from hkjax.geometry.poincare import margin
from hkjax.models.hakg.config import HAKGConfig
from hkjax.ops.lowerings.blocks import map_rows
from hkjax.ops.rows import materialize
from hkjax.ops.triples import Coefficients, Gram


# By jit, functions that every platform's way and the reverse pass trace anew are traced once for each shape.
@jax.jit
def slides_message(gram: Gram) -> Coefficients:
    """log_{e_h}(e_t (+) e_r) with e = exp_0 of the tangent vectors: the message on HAKG's slides."""
    head, tail, relation = (
        {axis: radial.tanhc(square)} for axis, square in (("h", gram.hh), ("t", gram.tt), ("r", gram.rr))
    )
    return _coefficients(_log(head, _add(tail, relation, _gap(relation, gram), gram), gram))


@partial(jax.jit, static_argnames="eps")
def official_message(gram: Gram, eps: float) -> Coefficients:
    """log_h(project(exp_h(t) (+) exp_h(r))) with h = project(exp_0(head)): the message of HAKG's code.

    Args:
        gram: the inner products of the tangent vectors, which t and r are used as, at h, unchanged.
        eps: the projections' distance from the boundary, 4e-3 in float32 and 1e-5 in float64 there.

    As in the code, the artanh inside the logarithm is cut at 1 - 1e-5.
    """
    head = _project({"h": radial.tanhc(gram.hh)}, gram, eps)
    tail, relation = _exp(head, "t", gram.tt, gram), _exp(head, "r", gram.rr, gram)
    reached = _project(_add(tail, relation, _gap(relation, gram), gram), gram, eps)
    return _coefficients(_log(head, reached, gram, reach=math.atanh(1 - 1e-5)))


def euclidean_message(gram: Gram) -> Coefficients:
    """t + r - h: the limit of `slides_message` as the curvature vanishes."""
    one = jnp.ones_like(gram.hh)
    return Coefficients(-one, one, one)


def message_coefficients(config: HAKGConfig, gram: Gram) -> Coefficients:
    """The messages of many edges, as `config.message` says: arrays [edges] from arrays [edges]."""
    if config.message == "official":
        return map_edges(lambda gram: official_message(gram, config.ball_eps), gram)
    return map_edges(slides_message if config.message == "slides" else euclidean_message, gram)


def map_edges(function: Callable[[Gram], Coefficients], gram: Gram) -> Coefficients:
    """Applies a message function to many edges; arrays [edges].

    The reverse pass computes the intermediates anew: they would take more memory, and more time to
    read, than their arithmetic takes.
    """
    chex.assert_equal_shape(gram)
    return map_rows(jax.checkpoint(function), gram)


# A vector by its coefficients along h, t and r; an axis that is absent has none.
_Vector = dict[str, jax.Array]


def _coefficients(x: _Vector) -> Coefficients:
    return Coefficients(x["h"], x["t"], x["r"])


def _combine(a: jax.Array | int, x: _Vector, b: jax.Array | int, y: _Vector) -> _Vector:
    """a x + b y."""
    total = {axis: a * part for axis, part in x.items()}
    for axis, part in y.items():
        total[axis] = total[axis] + b * part if axis in total else b * part
    return total


def _square(x: _Vector, g: Gram) -> jax.Array:
    """|x|^2, not negative."""
    axes = sorted(x, key="htr".index)
    terms = [x[a] * x[a] * getattr(g, a + a) for a in axes]
    terms += [2 * x[a] * x[b] * getattr(g, a + b) for a, b in itertools.combinations(axes, 2)]
    return materialize(jnp.maximum(sum(terms[1:], start=terms[0]), 0))


def _gap(x: _Vector, g: Gram) -> jax.Array:
    """1 - |x|^2, at least the margin."""
    return jnp.maximum(1 - _square(x, g), margin(g.hh.dtype))


def _add(x: _Vector, y: _Vector, b: jax.Array, g: Gram) -> _Vector:
    """Moebius addition, as in `poincare.mobius_add`, with b = 1 - |y|^2."""
    x, y, b = jax.tree.map(materialize, (x, y, b))
    a = _gap(x, g)
    s = _square(_combine(1, x, 1, y), g)
    # At least (1 - |x||y|)^2 >= (a + b - ab)^2 / 4: less than half of that can only be cancellation.
    denominator = jnp.maximum(s + a * b, (a + b - a * b) ** 2 / 8)
    return _combine((s + a) / denominator, x, a / denominator, y)


def _exp(x: _Vector, axis: str, square: jax.Array, g: Gram) -> _Vector:
    """Exponential map at x of the vector `axis`, whose square is given, as in `poincare.exp_map`."""
    a = _gap(x, g)
    t = square / a**2
    b = jnp.maximum(radial.sech2(t), margin(square.dtype))
    return _add(x, {axis: radial.tanhc(t) / a}, b, g)


def _log(x: _Vector, y: _Vector, g: Gram, reach: float = math.inf) -> _Vector:
    """Logarithmic map at x, as in `poincare.log_map`, its artanh cut at `reach`."""
    x, y = jax.tree.map(materialize, (x, y))
    a, b = _gap(x, g), _gap(y, g)
    s = _square(_combine(1, y, -1, x), g)
    t = materialize(s / (a * b))
    if reach == math.inf:
        ratio = radial.log_ratio(t)
    else:
        # arsinh(sqrt(t)) is the artanh in question; past the reach its ratio to sqrt(t) is replaced.
        far = t > math.sinh(reach) ** 2
        cut = reach / jnp.sqrt(jnp.where(far, t * (1 + t), 1))
        ratio = jnp.where(far, cut, radial.log_ratio(jnp.where(far, 1, t)))
    return _combine(ratio * a / b, y, -ratio * (a + s) / b, x)


def _project(x: _Vector, g: Gram, eps: float) -> _Vector:
    """As `poincare.project`."""
    square = _square(x, g)
    outside = square > (1 - eps) ** 2
    factor = jnp.where(outside, (1 - eps) / jnp.sqrt(jnp.where(outside, square, 1)), 1)
    return {axis: factor * part for axis, part in x.items()}
