"""HAKG's two losses, as functions of unit rows and of angles (Du et al., SIGIR 2022, arXiv 2204.04959)."""

import jax
import jax.numpy as jnp

from hkjax.graph.blocks import inner, spread
from hkjax.graph.pairs import gathered_products


def unit_rows(x: jax.Array) -> jax.Array:
    """Scales rows to length 1; rows of length below 1e-12 are divided by that instead. [..., d] -> [..., d]."""
    square = inner(x, x)
    long = square > 1e-24
    return x * spread(1 / jnp.where(long, jnp.sqrt(jnp.where(long, square, 1)), 1e-12), x.shape[-1])


def cosines(table: jax.Array, user: jax.Array, positive: jax.Array, negative: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Inner products of each row with its liked item and with the drawn ones.

    Args:
        table: unit rows [items, d].
        user: unit rows [B, d].
        positive: int [B].
        negative: int [B, K].

    Returns:
        [B] and [B, K].
    """
    return jnp.sum(user * table[positive], axis=-1), gathered_products(user, table, negative)


def contrastive_loss(tables: list[tuple[jax.Array, jax.Array]], margin: float) -> jax.Array:
    """HAKG's ranking loss of each row.

        relu(T - sum_t cos(u, t_i)) + sum_t sum_j relu(cos(u, t_j) - margin) / (active j + 1e-5)

    over T item tables t, 2 with dual items, a negative j being active where its cosine exceeds the
    margin.

    Args:
        tables: `cosines` [B] and [B, K] of each table.
        margin: in [-1, 1].

    Returns:
        [B].
    """
    loss = jax.nn.relu(len(tables) - sum(positive for positive, _ in tables))
    for _, negative in tables:
        excess = jax.nn.relu(negative - margin)
        # In float32 whatever the precision of the rest, as in the official code.
        active = jnp.sum(excess > 0, axis=-1, dtype=jnp.float32) + 1e-5
        loss += excess.sum(axis=-1) / active
    return loss


def angle_loss(angles: jax.Array, apertures: jax.Array) -> jax.Array:
    """max(angle - half-aperture, 0) of each pair; arrays of one shape."""
    return jax.nn.relu(angles - apertures)
