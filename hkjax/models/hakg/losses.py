"""HAKG's two losses, as functions of cosines and of angles (Du et al., SIGIR 2022, arXiv 2204.04959)."""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp

from hkjax.geometry import cones
from hkjax.models.hakg.config import HAKGConfig
from hkjax.ops.lookup import take_rows
from hkjax.ops.pairs import half_pair_gram, pair_gram, score_samples
from hkjax.ops.rows import l2_normalize, row_dot
from hkjax.ops.sparse import Edges, edge_mean
from hkjax.precision import as_factor


def unit_factors(config: HAKGConfig, x: jax.Array) -> jax.Array:
    """Unit rows as factors of dense products, whose inner products are cosines: [..., d] -> [..., d]."""
    return as_factor(l2_normalize(x), config.matmul_dtype)


def cosines(
    user: jax.Array, tables: Sequence[jax.Array], positive: jax.Array, negative: jax.Array
) -> list[tuple[jax.Array, jax.Array]]:
    """The cosines of each user with the positive item and with the sampled negatives, in each item table.

    Args:
        user: `unit_factors` [B, d].
        tables: `unit_factors` [items, d].
        positive: item ids, int [B].
        negative: item ids, int [B, K].

    Returns:
        [B] and [B, K] of each table.
    """
    chex.assert_rank([user, positive, negative, *tables], [2, 1, 2, *[2] * len(tables)])
    of_positives = [row_dot(user, take_rows(table, positive)) for table in tables]
    return list(zip(of_positives, score_samples(user, tables, negative), strict=True))


def contrastive_loss(tables: Sequence[tuple[jax.Array, jax.Array]], margin: float) -> jax.Array:
    """HAKG's ranking loss of each row.

        relu(T - sum_t cos(u, t_i)) + sum_t sum_j relu(cos(u, t_j) - margin) / (active j + 1e-5)

    over T item tables t, 2 with dual items, where a negative j is active if its cosine exceeds the margin.

    Args:
        tables: `cosines` [B] and [B, K] of each table.
        margin: in [-1, 1].

    Returns:
        [B].
    """
    # Cosines are at most 1 up to rounding, so this relu changes next to nothing; it is the official code's.
    loss = jax.nn.relu(len(tables) - sum(positive for positive, _ in tables))
    for _, negative in tables:
        excess = jax.nn.relu(negative - margin)
        # In float32 whatever the precision of the rest, as in the official code.
        active = jnp.sum(excess > 0, axis=-1, dtype=jnp.float32) + 1e-5
        loss += excess.sum(axis=-1) / active
    return loss


def angle_loss(angles: jax.Array, half_apertures: jax.Array) -> jax.Array:
    """max(angle - half-aperture, 0) of each pair; arrays of one shape."""
    chex.assert_equal_shape([angles, half_apertures])
    return jax.nn.relu(angles - half_apertures)


@jax.named_scope("angle loss")
def cone_loss(config: HAKGConfig, x: jax.Array, pairs: Edges, key: jax.Array) -> jax.Array:
    """The mean angle loss over pairs: what lies in the entailment cone of its apex costs nothing.

    Args:
        config: the choices.
        x: points [entities, d].
        pairs: apex (rows) and other entity (columns) of each pair.
        key: draws the dimensions that count, if `config.angle_mask`.
    """
    gram = half_pair_gram(key, x, pairs) if config.angle_mask else pair_gram(x, pairs)
    return edge_mean(pair_losses(config, *gram), pairs)


def pair_losses(config: HAKGConfig, xx: jax.Array, xy: jax.Array, yy: jax.Array) -> jax.Array:
    """The angle loss of each pair from the inner products of its apex x and its other end y; arrays of one shape."""
    exact = config.angle == "exact"
    angles = (cones.angle_at_apex_of if exact else cones.clipped_angle_of)(xx, xy, yy)
    apertures = (cones.half_aperture_of if exact else cones.clipped_half_aperture_of)(xx, config.aperture)
    return angle_loss(angles, apertures)
