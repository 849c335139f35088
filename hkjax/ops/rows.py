"""Functions of rows: inner products, lengths, and values that a compiler should compute once."""

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from hkjax.ops.autodiff.primitive import make_primitive
from hkjax.ops.autodiff.recompute import keep
from hkjax.ops.lowerings import dots
from hkjax.precision import sum_dtype


def row_dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Computes inner products along the last axis: [..., d] and [..., d] to [...]; bfloat16 is summed in float32."""
    dtype = sum_dtype(a.dtype, b.dtype)
    return _row_dot.bind(*jnp.broadcast_arrays(a.astype(dtype), b.astype(dtype)))


def broadcast_rows(scales: jax.Array, d: int) -> jax.Array:
    """Repeats a scalar d times along a last axis: [...] to [..., d]."""
    return _repeat.bind(scales, d=d)


def l2_normalize(x: jax.Array) -> jax.Array:
    """Scales rows to length 1; rows shorter than 1e-12 are divided by 1e-12 instead. [..., d] -> [..., d]."""
    square = keep(row_dot(x, x))
    long = square > 1e-24
    return x * broadcast_rows(1 / jnp.where(long, jnp.sqrt(jnp.where(long, square, 1)), 1e-12), x.shape[-1])


def materialize(x: jax.Array) -> jax.Array:
    """Returns x; stops a compiler from recomputing x, and its gradient, in every loop that reads it."""
    return _materialize.bind(x)


def _sum(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.sum(a * b, axis=-1)


def _repeated(x: jax.Array, d: int) -> jax.Array:
    return jnp.broadcast_to(x[..., None], (*x.shape, d))


_row_dot = make_primitive("row_dot", {"sum": _sum, "dot with ones": dots.sum_by_dot})
_repeat = make_primitive("repeat", {"broadcast": _repeated, "dot with ones": dots.repeat_by_dot}, static="d")
_materialize = make_primitive("materialize", {"itself": lambda x: x, "quotient": dots.quotient})
ad.defbilinear(
    _row_dot,
    lambda cotangent, a, b: broadcast_rows(cotangent, b.shape[-1]) * b,
    lambda cotangent, a, b: broadcast_rows(cotangent, a.shape[-1]) * a,
)
ad.deflinear2(_repeat, lambda cotangent, x, d: [row_dot(cotangent, jnp.ones_like(cotangent))])
ad.deflinear2(_materialize, lambda cotangent, _: [materialize(cotangent)])
