"""Numbers that a compiler computes once."""

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from hkjax.ops._primitives import make_primitive


def once(x: jax.Array) -> jax.Array:
    """x itself, whose value, and whose gradient, many others follow from.

    XLA's CPU backend computes a sum or product anew in each loop that uses it, and what it follows from, too, so that
    long chains are computed many times over; but never a quotient.
    """
    return _once.bind(x)


def _quotient(x: jax.Array) -> jax.Array:
    # Of infinity by 2, of all else by 1: x, as no compiler knows.
    return x / jnp.where(jnp.isfinite(x), 1, 2).astype(x.dtype)


_once = make_primitive("once", lambda x: x, cpu=_quotient)
ad.deflinear2(_once, lambda cotangent, _: [once(cotangent)])
