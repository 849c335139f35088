"""Proximity of a vector to an item's attribute fields, as distributions over the fields, and their divergence.

Equations are numbered as in "A Hierarchical Knowledge-based Joint Learning Framework for
Recommendation" (Sun, Ni, Yang; CNCI 2020, DOI 10.23977/CNCI2020076). n is the number of attribute
fields, d the embedding size, and o_j the sum of the embeddings of an item's values in field j.
"""

import chex
import jax
import jax.numpy as jnp


def proximity_logits(values: jax.Array, relations: jax.Array, vector: jax.Array) -> jax.Array:
    """o_j . R_j . q_s for every field j: the exponents of eq. 4 and 5.

    Args:
        values: o, [n, d].
        relations: R, [n, d] for diagonal relations or [n, d, d].
        vector: q_s or t_s, [d].

    Returns:
        [n].
    """
    chex.assert_rank([values, vector], [2, 1])
    chex.assert_equal_shape_prefix([values, relations], 1)
    return (values * relate(relations, vector)).sum(-1)


def relate(relations: jax.Array, vector: jax.Array) -> jax.Array:
    """R_j q_s for every field: [n, d] from relations [n, d] or [n, d, d] and a vector [d]."""
    return relations * vector if relations.ndim == 2 else relations @ vector


def proximity_log_softmax(logits: jax.Array, field_mask: jax.Array) -> jax.Array:
    """Logarithm of `proximity_softmax`, finite for any logits; 0 for the fields that are masked."""
    none = ~field_mask.any(axis=-1, keepdims=True)
    # Where all fields are masked, the logits are replaced by 0, whose softmax is uniform.
    mask = field_mask | none
    return jnp.where(mask, jax.nn.log_softmax(jnp.where(none, 0, logits), axis=-1, where=mask), 0)


def proximity_softmax(logits: jax.Array, field_mask: jax.Array) -> jax.Array:
    """Softmax over the fields that count, in eq. 4 and 5; uniform over all fields where none counts.

    Args:
        logits: [..., n].
        field_mask: bool [..., n]; a field of which it is false gets probability 0.

    Returns:
        [..., n], summing to 1.
    """
    chex.assert_equal_shape([logits, field_mask])
    mask = field_mask | ~field_mask.any(axis=-1, keepdims=True)
    return jnp.where(mask, jnp.exp(proximity_log_softmax(logits, field_mask)), 0)


def kl_divergence(p: jax.Array, log_q: jax.Array, field_mask: jax.Array) -> jax.Array:
    """KL(p, q) over the target's fields, to which p is conditioned: eq. 9.

    A field that the target lacks has q = 0, where the divergence would be infinite whatever the
    parameters. So p is restricted to the target's fields and normalised. Where p has no mass there,
    it counts as equal to q.

    Args:
        p: probabilities [..., n].
        log_q: log-probabilities [..., n], normalised over the target's fields.
        field_mask: bool [..., n], the target's fields.

    Returns:
        [...], non-negative, zero only where the conditioned distributions are equal.
    """
    chex.assert_equal_shape([p, log_q, field_mask])
    inside = jnp.where(field_mask, p, 0)
    mass = inside.sum(-1, keepdims=True)
    conditioned = inside / jnp.where(mass > 0, mass, 1)
    log_p = jnp.log(jnp.where(conditioned > 0, conditioned, 1))
    return (conditioned * (log_p - log_q)).sum(-1)


def cross_entropy(p: jax.Array, log_q: jax.Array, field_mask: jax.Array) -> jax.Array:
    """-sum_j p_j log q_j over the target's fields: eq. 9 as printed, [...] from [..., n]."""
    return -(jnp.where(field_mask, p, 0) * log_q).sum(-1)
