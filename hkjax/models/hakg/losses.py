"""HAKG's two losses, and their sum over a batch on the whole graph, of which each step keeps a part.

`equations.ranking_loss` and `equations.angle_loss` are the definitions; here they stand for many rows and pairs at
once, as functions of cosines and of inner products.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from hkjax.geometry import cones, poincare
from hkjax.models.base import Batch
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs
from hkjax.models.hakg.parameters import HAKGParameters
from hkjax.models.hakg.propagation import Embeddings, propagate
from hkjax.models.hakg.representation import item_tables
from hkjax.ops.lookup import take_rows
from hkjax.ops.pairs import half_pair_gram, pair_gram, score_samples
from hkjax.ops.rows import l2_normalize, row_dot
from hkjax.ops.sampling import sample_negatives
from hkjax.ops.sparse import Edges, edge_mean
from hkjax.precision import as_factor
from hkjax.shapes import check_rank, check_same_shape


def whole_graph_losses(
    config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, batch: Batch, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Computes the ranking loss and the angle loss of a batch."""
    propagation_key, negatives_key, mask_key = jax.random.split(key, 3)
    ranking = ranking_loss(config, propagate(config, p, inputs, propagation_key), inputs, batch, negatives_key)
    if not config.angle_weight:
        return ranking, jnp.zeros(())
    return ranking, cone_loss(config, angle_points(config, p.entity), inputs.pairs, mask_key)


@jax.named_scope("ranking loss")
def ranking_loss(config: HAKGConfig, x: Embeddings, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> jax.Array:
    """Computes the mean contrastive loss of the rows' positive items against sampled negatives."""
    users, n_items = batch["user"], inputs.item_degree.size
    negative = sample_negatives(key, inputs.exclusions, users, batch["example"], config.negatives, n_items)
    user = take_rows(unit_factors(config, x.user), users)
    tables = [unit_factors(config, table) for table in item_tables(x, inputs)]
    losses = contrastive_loss(cosines(user, tables, batch["item"], negative), config.margin)
    return jnp.mean(batch["weight"] * losses)


def unit_factors(config: HAKGConfig, x: jax.Array) -> jax.Array:
    """Scales rows to length 1, as factors of dense products; their inner products are cosines: [..., d] -> [..., d]."""
    return as_factor(l2_normalize(x), config.matmul_dtype)


def cosines(
    user: jax.Array, tables: Sequence[jax.Array], positive: jax.Array, negative: jax.Array
) -> list[tuple[jax.Array, jax.Array]]:
    """Computes the cosines of each user with the positive item and with the sampled negatives, in each item table.

    Args:
        user: `unit_factors` [B, d].
        tables: `unit_factors` [items, d].
        positive: item ids, int [B].
        negative: item ids, int [B, K].

    Returns:
        [B] and [B, K] of each table.
    """
    check_rank("cosines", 2, user=user, negative=negative)
    check_rank("cosines", 1, positive=positive)
    positives = [row_dot(user, take_rows(table, positive)) for table in tables]
    return list(zip(positives, score_samples(user, tables, negative), strict=True))


def contrastive_loss(scores: Sequence[tuple[jax.Array, jax.Array]], margin: float) -> jax.Array:
    """Computes HAKG's ranking loss of each row.

        relu(T - sum_t cos(u, t_i)) + sum_t sum_j relu(cos(u, t_j) - margin) / (active j + 1e-5)

    over T item tables t, 2 with dual items, where a negative j is active if its cosine exceeds the margin.

    Args:
        scores: `cosines` [B] and [B, K] of each table.
        margin: in [-1, 1].

    Returns:
        [B].
    """
    # Cosines are at most 1 up to rounding, so this relu changes next to nothing; it is the official code's.
    loss = jax.nn.relu(len(scores) - sum(positive for positive, _ in scores))
    for _, negative in scores:
        excess = jax.nn.relu(negative - margin)
        # In float32 whatever the precision of the rest, as in the official code.
        active = jnp.sum(excess > 0, axis=-1, dtype=jnp.float32) + 1e-5
        loss += excess.sum(axis=-1) / active
    return loss


def angle_points(config: HAKGConfig, x: jax.Array) -> jax.Array:
    """Returns what angles are taken of, [..., d]: points of the ball, or in the official code the parameters."""
    return poincare.exp_map_zero(x, 1.0) if config.angle_space == "ball" else x


@jax.named_scope("angle loss")
def cone_loss(config: HAKGConfig, x: jax.Array, pairs: Edges, key: jax.Array) -> jax.Array:
    """Computes the mean angle loss over pairs: what lies in the entailment cone of its apex costs nothing.

    Args:
        config: the choices.
        x: points [entities, d].
        pairs: apex (rows) and other entity (columns) of each pair.
        key: draws the dimensions that count, if `config.angle_mask`.
    """
    gram = half_pair_gram(key, x, pairs) if config.angle_mask else pair_gram(x, pairs)
    return edge_mean(pair_losses(config, *gram), pairs)


def pair_losses(config: HAKGConfig, xx: jax.Array, xy: jax.Array, yy: jax.Array) -> jax.Array:
    """Computes the angle loss of each pair from the inner products of its apex x and its other end y.

    Args:
        config: the choices.
        xx, xy, yy: <x, x>, <x, y> and <y, y>, arrays of one shape.
    """
    check_same_shape("pair_losses", xx=xx, xy=xy, yy=yy)
    if config.angle == "exact":
        angles, apertures = cones.angle_at_apex_of(xx, xy, yy), cones.half_aperture_of(xx, config.aperture)
    else:
        angles, apertures = cones.clipped_angle_of(xx, xy, yy), cones.clipped_half_aperture_of(xx, config.aperture)
    return jax.nn.relu(angles - apertures)
