"""Proximity of a vector to an item's attribute fields, as distributions over the fields, and their divergence.

Equations are numbered as in "A Hierarchical Knowledge-based Joint Learning Framework for
Recommendation" (Sun, Ni, Yang; CNCI 2020, DOI 10.23977/CNCI2020076). n is the number of attribute
fields, d the embedding size, and o_j the sum of the embeddings of an item's values in field j.
"""

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
    return (values * relate(relations, vector)).sum(-1)


def relate(relations: jax.Array, vector: jax.Array) -> jax.Array:
    """R_j q_s for every field: [n, d] from relations [n, d] or [n, d, d] and a vector [d]."""
    return relations * vector if relations.ndim == 2 else relations @ vector


def proximity_log_softmax(logits: jax.Array, present: jax.Array) -> jax.Array:
    """Logarithm of `proximity_softmax`, finite for any logits; 0 for the fields that are not present."""
    none = ~present.any(axis=-1, keepdims=True)
    # Where no field is present all logits are replaced by 0, whose softmax is the uniform one.
    counted = present | none
    return jnp.where(counted, jax.nn.log_softmax(jnp.where(none, 0, logits), axis=-1, where=counted), 0)


def proximity_softmax(logits: jax.Array, present: jax.Array) -> jax.Array:
    """Softmax over the fields that are present; uniform over all fields where none is.

    Args:
        logits: [..., n].
        present: bool [..., n]; fields that are not get probability 0.

    Returns:
        [..., n], summing to 1.
    """
    counted = present | ~present.any(axis=-1, keepdims=True)
    return jnp.where(counted, jnp.exp(proximity_log_softmax(logits, present)), 0)


def kl_divergence(p: jax.Array, log_q: jax.Array, present: jax.Array) -> jax.Array:
    """KL(p, q) over the fields that are present, to which p is conditioned.

    A field that the target lacks has q = 0, where the divergence would be infinite whatever the
    parameters. So p is restricted to the target's fields and normalised; it counts as equal to q
    where it has no mass there.

    Args:
        p: probabilities [..., n].
        log_q: log-probabilities [..., n], normalised over the fields that are present.
        present: bool [..., n].

    Returns:
        [...], non-negative, zero only where the conditioned distributions are equal.
    """
    inside = jnp.where(present, p, 0)
    mass = inside.sum(-1, keepdims=True)
    conditioned = inside / jnp.where(mass > 0, mass, 1)
    log_p = jnp.log(jnp.where(conditioned > 0, conditioned, 1))
    return (conditioned * (log_p - log_q)).sum(-1)


def cross_entropy(p: jax.Array, log_q: jax.Array, present: jax.Array) -> jax.Array:
    """-sum_j p_j log q_j over the fields that are present: eq. 9 as printed, [...] from [..., n]."""
    return -(jnp.where(present, p, 0) * log_q).sum(-1)
