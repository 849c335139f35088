"""Numbers that a compiler computes once."""

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from hkjax.ops._primitives import make_primitive


def once(x: jax.Array) -> jax.Array:
    """x itself, whose value, and whose gradient, many others follow from.

    XLA's CPU backend computes sums and products anew in each loop that uses them, and so whole chains many times over.
    A quotient it computes once.
    """
    return _once.bind(x)


def _quotient(x: jax.Array) -> jax.Array:
    # What is finite by 1, infinity and nan by 2: x, as no compiler knows.
    return x / jnp.where(jnp.isfinite(x), 1, 2).astype(x.dtype)


_once = make_primitive("once", lambda x: x, cpu=_quotient)
ad.deflinear2(_once, lambda cotangent, _: [once(cotangent)])
