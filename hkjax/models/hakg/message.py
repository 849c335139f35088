"""The message of an edge by its coefficients: the fast form of the messages in `equations.py`.

For tangent vectors h, t, r at 0 of an edge's head, tail and relation the message is alpha h + beta t + gamma r. The
coefficients follow from the six inner products of h, t and r (`hkjax.geometry.gram`), so no array of the size
[edges, d] is needed.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp

from hkjax.geometry import gram as span
from hkjax.models.hakg.config import HAKGConfig
from hkjax.ops.messages import Coefficients, CoefficientsOf, Gram


# jit caches the trace: otherwise each lowering and the reverse pass would trace this again.
@jax.jit
def slides_message(gram: Gram) -> Coefficients:
    """Computes `equations.message` of exp_0 of the tangent vectors."""
    head, tail, relation = (span.exp_map_zero(axis, gram) for axis in "htr")
    return _coefficients(span.log_map(head, span.mobius_add(tail, relation, gram), gram))


@partial(jax.jit, static_argnames="eps")
def official_message(gram: Gram, eps: float) -> Coefficients:
    """Computes `equations.official_message`.

    Args:
        gram: the inner products of the tangent vectors.
        eps: the projections' distance from the boundary, 4e-3 in float32 and 1e-5 in float64 in the official code.
    """
    head = span.project(span.exp_map_zero("h", gram), gram, eps)
    tail, relation = span.exp_map(head, "t", gram), span.exp_map(head, "r", gram)
    reached = span.project(span.mobius_add(tail, relation, gram), gram, eps)
    return _coefficients(span.log_map(head, reached, gram, reach=math.atanh(1 - 1e-5)))


def euclidean_message(gram: Gram) -> Coefficients:
    """Computes `equations.euclidean_message`, t + r - h."""
    one = jnp.ones_like(gram.hh)
    return Coefficients(-one, one, one)


def message_of(config: HAKGConfig) -> CoefficientsOf:
    """Returns the message that `config.message` names."""
    if config.message == "official":
        return partial(official_message, eps=config.ball_eps)
    return slides_message if config.message == "slides" else euclidean_message


def _coefficients(x: span.Vector) -> Coefficients:
    return Coefficients(x["h"], x["t"], x["r"])
