"""Numbers that a compiler computes once."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


def once(x: jax.Array) -> jax.Array:
    """x itself, whose value, and whose gradient, many others follow from.

    XLA's CPU backend computes a sum or product anew in each loop that uses it, and what it follows from, too, so that
    long chains are computed many times over; but never a quotient.
    """
    return _once.bind(x)


def _quotient(x: jax.Array) -> jax.Array:
    # Of infinity by 2, of all else by 1: x, as no compiler knows.
    return x / jnp.where(jnp.isfinite(x), 1, 2).astype(x.dtype)


def _same(context: Any, x: Any) -> list[Any]:
    return [x]


_once = Primitive("once")
_once.def_impl(lambda x: x)
_once.def_abstract_eval(lambda x: x)
mlir.register_lowering(_once, _same)
mlir.register_lowering(_once, mlir.lower_fun(_quotient, multiple_results=False), platform="cpu")
ad.deflinear2(_once, lambda cotangent, _: [once(cotangent)])
batching.defvectorized(_once)
