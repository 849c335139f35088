"""Inner products of rows, and numbers repeated along rows: each the transpose of the other.

XLA's CPU backend adds the terms of a sum one after the other, but vectorises a dot.
"""

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from hkjax.ops._primitives import make_primitive
from hkjax.precision import sum_dtype


def row_dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Inner products along the last axis: [..., d] and [..., d] to [...]; of bfloat16, sums in float32."""
    dtype = sum_dtype(a.dtype, b.dtype)
    return _row_dot.bind(*jnp.broadcast_arrays(a.astype(dtype), b.astype(dtype)))


def broadcast_rows(scales: jax.Array, d: int) -> jax.Array:
    """Repeats a number d times along a last axis: [...] to [..., d]."""
    return _repeat.bind(scales, d=d)


def _sum(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.sum(a * b, axis=-1)


def _sum_by_dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a * b, jnp.ones(a.shape[-1], a.dtype), precision="highest")


def _repeated(x: jax.Array, d: int) -> jax.Array:
    return jnp.broadcast_to(x[..., None], (*x.shape, d))


def _repeated_by_dot(x: jax.Array, d: int) -> jax.Array:
    return jnp.matmul(x[..., None], jnp.ones((1, d), x.dtype), precision="highest")


_row_dot = make_primitive("row_dot", _sum, cpu=_sum_by_dot)
_repeat = make_primitive("repeat", _repeated, static="d", cpu=_repeated_by_dot)
ad.defbilinear(
    _row_dot,
    lambda cotangent, a, b: broadcast_rows(cotangent, b.shape[-1]) * b,
    lambda cotangent, a, b: broadcast_rows(cotangent, a.shape[-1]) * a,
)
ad.deflinear2(_repeat, lambda cotangent, x, d: [row_dot(cotangent, jnp.ones_like(cotangent))])
