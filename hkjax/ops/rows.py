"""Rows of numbers: inner products, lengths, and values that a compiler is to compute once."""

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.interpreters import ad

from hkjax.ops.autodiff.primitive import make_primitive
from hkjax.precision import sum_dtype

# What squares of rows are called, for the policy of a `jax.checkpoint` that computes rows anew.
ROW_SQUARES = "row squares"


def row_dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Inner products along the last axis: [..., d] and [..., d] to [...]; of bfloat16, sums in float32."""
    dtype = sum_dtype(a.dtype, b.dtype)
    return _row_dot.bind(*jnp.broadcast_arrays(a.astype(dtype), b.astype(dtype)))


def broadcast_rows(scales: jax.Array, d: int) -> jax.Array:
    """Repeats a number d times along a last axis: [...] to [..., d]."""
    return _repeat.bind(scales, d=d)


def l2_normalize(x: jax.Array) -> jax.Array:
    """Scales rows to length 1; rows of length below 1e-12 are divided by that instead. [..., d] -> [..., d]."""
    square = checkpoint_name(row_dot(x, x), ROW_SQUARES)
    long = square > 1e-24
    return x * broadcast_rows(1 / jnp.where(long, jnp.sqrt(jnp.where(long, square, 1)), 1e-12), x.shape[-1])


def materialize(x: jax.Array) -> jax.Array:
    """Returns x; stops XLA's CPU backend from recomputing x, and its gradient, in every loop that reads it.

    That backend recomputes sums and products where they are read, and so whole chains many times over. It computes a
    quotient once.
    """
    return _materialize.bind(x)


def _sum(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.sum(a * b, axis=-1)


def _sum_by_dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a * b, jnp.ones(a.shape[-1], a.dtype), precision="highest")


def _repeated(x: jax.Array, d: int) -> jax.Array:
    return jnp.broadcast_to(x[..., None], (*x.shape, d))


def _repeated_by_dot(x: jax.Array, d: int) -> jax.Array:
    return jnp.matmul(x[..., None], jnp.ones((1, d), x.dtype), precision="highest")


def _quotient(x: jax.Array) -> jax.Array:
    # Equals x, but the compiler cannot prove it: divides by 1 where finite, by 2 at infinity and nan.
    return x / jnp.where(jnp.isfinite(x), 1, 2).astype(x.dtype)


_row_dot = make_primitive("row_dot", _sum, cpu=_sum_by_dot)
_repeat = make_primitive("repeat", _repeated, static="d", cpu=_repeated_by_dot)
_materialize = make_primitive("materialize", lambda x: x, cpu=_quotient)
ad.defbilinear(
    _row_dot,
    lambda cotangent, a, b: broadcast_rows(cotangent, b.shape[-1]) * b,
    lambda cotangent, a, b: broadcast_rows(cotangent, a.shape[-1]) * a,
)
ad.deflinear2(_repeat, lambda cotangent, x, d: [row_dot(cotangent, jnp.ones_like(cotangent))])
ad.deflinear2(_materialize, lambda cotangent, _: [materialize(cotangent)])
