"""Forms that XLA's CPU backend vectorises: sums as products with ones, and quotients instead of copies."""

import jax
import jax.numpy as jnp


def sum_by_dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """Computes inner products of rows, [...] from [..., d]: that backend adds a plain sum term by term."""
    return jnp.matmul(a * b, jnp.ones(a.shape[-1], a.dtype), precision="highest")


def repeat_by_dot(x: jax.Array, d: int) -> jax.Array:
    """Repeats a scalar d times along a last axis: [...] to [..., d]."""
    return jnp.matmul(x[..., None], jnp.ones((1, d), x.dtype), precision="highest")


def quotient(x: jax.Array) -> jax.Array:
    """Equals x, but the compiler cannot prove it: divides by 1 where finite, by 2 at infinity and nan.

    That backend computes a quotient once, but a sum or a product again for every reader.
    """
    return x / jnp.where(jnp.isfinite(x), 1, 2).astype(x.dtype)
