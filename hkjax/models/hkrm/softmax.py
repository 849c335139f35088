"""Proximity softmaxes: over fields that an item may lack, and over items that count any number of times."""

import jax
import jax.numpy as jnp


def proximity_log_softmax(logits: jax.Array, has: jax.Array) -> jax.Array:
    """Computes the log-softmax over the fields that an item has, [..., n]; finite for any logits, 0 for absent fields.

    Without any field it is that of the uniform distribution.
    """
    none = ~has.any(axis=-1, keepdims=True)
    has = has | none
    return jnp.where(has, jax.nn.log_softmax(jnp.where(none, 0, logits), axis=-1, where=has), 0)


def proximity_softmax(logits: jax.Array, has: jax.Array) -> jax.Array:
    """Computes the softmax over the fields that an item has, [..., n]: 0 for absent fields, uniform without any."""
    has_or_none = has | ~has.any(axis=-1, keepdims=True)
    return jnp.where(has_or_none, jnp.exp(proximity_log_softmax(logits, has)), 0)


def counted_softmax(x: jax.Array, count: jax.Array) -> jax.Array:
    """Computes the softmax of [k] in which entry i stands for count[i] equal ones; 0 where nothing counts.

    Derivatives by a count are true where it is above 0.
    """
    counts = count > 0
    top = jax.lax.stop_gradient(jnp.max(jnp.where(counts, x, -jnp.inf), initial=-jnp.inf))
    shift = jnp.where(jnp.isfinite(top), top, 0)
    weights = count * jnp.exp(jnp.where(counts, x - shift, 0))
    total = weights.sum()
    return weights / jnp.where(total > 0, total, 1)


def relate(R: jax.Array, x: jax.Array) -> jax.Array:  # noqa: N803
    """Computes R_j . x for every field: [n, d] from R [n, d] or [n, d, d] and x [d]."""
    return R * x if R.ndim == 2 else R @ x
