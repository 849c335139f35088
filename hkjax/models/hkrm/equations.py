"""HKRM's equations 1 to 13, in the paper's letters, for one user q, one item t, or one pair of both.

"A Hierarchical Knowledge-based Joint Learning Framework for Recommendation" (Sun, Ni, Yang; CNCI 2020, DOI
10.23977/CNCI2020076). Each function takes arrays only; jax.vmap gives it batches. The model computes the same for many
rows at once and is tested equal to these functions. Where the paper is silent, the docstring says what is assumed.

    m     liked items of the query q            e_i   embedding of item i, [d]
    n     attribute fields                      o_j   sum of an item's values in field j, [d]
    d     embedding size                        R_j   relation of field j, [d] (diagonal) or [d, d]
"""

from typing import Literal

import jax
import jax.numpy as jnp

from hkjax.shapes import check_prefix, check_rank, check_same_shape, check_suffix


def query_vector(w: jax.Array, e: jax.Array) -> jax.Array:
    """Eq. 1: q_s = sum_i w_i e_i, [d] from weights [m] and embeddings [m, d]. A target has t_s = e_t.

    Example:
        >>> query_vector(jnp.array([0.25, 0.75]), jnp.array([[4.0, 0.0], [0.0, 4.0]])).tolist()
        [1.0, 3.0]
    """
    check_rank("query_vector", 2, e=e)
    check_prefix("query_vector", w=w, e=e)
    return w @ e


def item_weights(p: jax.Array, count: jax.Array | None = None) -> jax.Array:
    """Eq. 2: w = softmax_i(p_i / m), [m] from learned p [m].

    `count` [m] says how often each item counts, once if absent: 0 leaves an item out, and the derivative by it is the
    item's contribution. Then m is its sum. Without any item all weights are 0.

    Example:
        >>> item_weights(jnp.array([0.0, 2 * jnp.log(3.0)])).round(2).tolist()
        [0.25, 0.75]
    """
    count = jnp.ones_like(p) if count is None else count
    check_same_shape("item_weights", p=p, count=count)
    m = count.sum()
    return _counted_softmax(p / jnp.where(m > 0, m, 1), count)


def field_vectors(h: jax.Array, field: jax.Array, n: int) -> jax.Array:
    """Eq. 3: o_j = sum_k h_jk, [n, d] from an item's values h [k, d] and the field of each, int [k].

    Example:
        >>> field_vectors(jnp.array([[1.0], [2.0], [4.0]]), jnp.array([0, 2, 0]), n=3).ravel().tolist()
        [5.0, 0.0, 2.0]
    """
    check_prefix("field_vectors", h=h, field=field)
    return jax.ops.segment_sum(h, field, n)


def proximity_logits(o: jax.Array, R: jax.Array, x: jax.Array) -> jax.Array:
    """The exponents of eq. 4 and 5, o_j . R_j . x: [n] from o [n, d], R [n, d] or [n, d, d] and x = q_s or t_s, [d].

    Example:
        >>> proximity_logits(jnp.eye(2), jnp.ones((2, 2)), jnp.array([3.0, 5.0])).tolist()
        [3.0, 5.0]
    """
    check_rank("proximity_logits", 2, o=o)
    check_prefix("proximity_logits", o=o, R=R)
    check_suffix("proximity_logits", o=o, R=R, x=x)
    return (o * relate(R, x)).sum(-1)


def relate(R: jax.Array, x: jax.Array) -> jax.Array:
    """R_j x for every field: [n, d] from R [n, d] or [n, d, d] and x [d]."""
    return R * x if R.ndim == 2 else R @ x


def proximity_softmax(logits: jax.Array, has: jax.Array) -> jax.Array:
    """Eq. 5: P^(A|t), the softmax over the fields that an item has, [..., n] from logits and bool [..., n].

    A field that is absent gets probability 0; without any field the distribution is uniform.

    Example:
        >>> proximity_softmax(jnp.array([0.0, 9.0, 0.0]), jnp.array([True, False, True])).tolist()
        [0.5, 0.0, 0.5]
    """
    check_same_shape("proximity_softmax", logits=logits, has=has)
    has_or_none = has | ~has.any(axis=-1, keepdims=True)
    return jnp.where(has_or_none, jnp.exp(proximity_log_softmax(logits, has)), 0)


def proximity_log_softmax(logits: jax.Array, has: jax.Array) -> jax.Array:
    """Logarithm of `proximity_softmax`, finite for any logits; 0 for absent fields."""
    none = ~has.any(axis=-1, keepdims=True)
    # Without any field the logits are replaced by 0, whose softmax is uniform.
    has = has | none
    return jnp.where(has, jax.nn.log_softmax(jnp.where(none, 0, logits), axis=-1, where=has), 0)


def preference(
    logits: jax.Array,
    has: jax.Array,
    count: jax.Array | None = None,
    pooling: Literal["mean", "joint"] = "mean",
) -> jax.Array:
    """Eq. 4: P(A|q), [n], from the proximity logits of the query's items and their fields, [m, n] each.

    `mean` (assumed): the mean of the items' softmaxes. `joint`: one softmax, with the sum over items inside its
    numerator and denominator. `count` is as in `item_weights`. Uniform where there is nothing to pool.

    Example:
        >>> preference(jnp.zeros((2, 2)), jnp.array([[True, True], [True, False]])).tolist()
        [0.75, 0.25]
    """
    check_same_shape("preference", logits=logits, has=has)
    count = jnp.ones(len(logits), logits.dtype) if count is None else count
    if pooling == "mean":
        m = count.sum()
        pooled = count @ proximity_softmax(logits, has) / jnp.where(m > 0, m, 1)
    else:
        joint = _counted_softmax(logits.ravel(), (count[:, None] * has).ravel())
        pooled = joint.reshape(logits.shape).sum(0)
    return jnp.where(pooled.sum() == 0, 1 / logits.shape[1], pooled)


def attribute_level(P: jax.Array, W1: jax.Array, b1: jax.Array, W2: jax.Array, b2: jax.Array) -> jax.Array:
    """Eq. 6 and 7: q_A = MLP(P(A|q)) and t_A = MLP(P^(A|t)), [..., d] from [..., n]; one hidden tanh layer, shared."""
    return jnp.tanh(P @ W1 + b1) @ W2 + b2


def kl_divergence(P: jax.Array, log_Pt: jax.Array, has: jax.Array) -> jax.Array:
    """Eq. 8: KL(P(A|q), P^(A|t)) over the target's fields, to which P is conditioned: [...] from [..., n].

    A field that the target lacks has P^ = 0, where the divergence would be infinite whatever the parameters. So P is
    restricted to the target's fields and normalised. Where it has no mass there, the divergence is 0.

    Args:
        P: probabilities [..., n].
        log_Pt: log P^(A|t), [..., n], normalised over the target's fields.
        has: bool [..., n], the target's fields.

    Example:
        >>> P = jnp.array([0.5, 0.25, 0.25])
        >>> float(kl_divergence(P, jnp.log(jnp.array([0.25, 0.5, 0.25])), jnp.ones(3, bool)) / jnp.log(2.0))
        0.25
    """
    check_same_shape("kl_divergence", P=P, log_Pt=log_Pt, has=has)
    inside = jnp.where(has, P, 0)
    mass = inside.sum(-1, keepdims=True)
    conditioned = inside / jnp.where(mass > 0, mass, 1)
    log_p = jnp.log(jnp.where(conditioned > 0, conditioned, 1))
    return (conditioned * (log_p - log_Pt)).sum(-1)


def cross_entropy(P: jax.Array, log_Pt: jax.Array, has: jax.Array) -> jax.Array:
    """-sum_j P_j log P^_j over the target's fields: eq. 9 as printed, which omits the entropy; [...] from [..., n]."""
    return -(jnp.where(has, P, 0) * log_Pt).sum(-1)


def attribute_loss(y: jax.Array, divergence: jax.Array) -> jax.Array:
    """Eq. 9: L_a = y KL(P(A|q), P^(A|t)), which only positive pairs have; arrays of one shape."""
    return y * divergence


def relevance(q_s: jax.Array, q_A: jax.Array, t_s: jax.Array, t_A: jax.Array) -> jax.Array:
    """Eq. 10: q_s.t_s + q_A.t_A + q_s.t_A + q_A.t_s, [] from vectors [d].

    Example:
        >>> float(relevance(*jnp.array([[1.0], [2.0], [10.0], [20.0]])))
        90.0
    """
    return q_s @ t_s + q_A @ t_A + q_s @ t_A + q_A @ t_s


def probability(rel: jax.Array) -> jax.Array:
    """Eq. 11: the probability y^ = sigmoid(rel) that the user likes the item."""
    return jax.nn.sigmoid(rel)


def recommendation_loss(y: jax.Array, rel: jax.Array) -> jax.Array:
    """Eq. 12: -y log y^ - (1 - y) log(1 - y^) of y^ = sigmoid(rel), finite for any rel; arrays of one shape."""
    return -y * jax.nn.log_sigmoid(rel) - (1 - y) * jax.nn.log_sigmoid(-rel)


def total_loss(L_r: jax.Array, L_a: jax.Array, E: jax.Array, R: jax.Array, lambda1: float, lambda2: float) -> jax.Array:
    """Eq. 13: L_r + lambda1 L_a + lambda2 (|E|^2 + |R|^2), over the tables E of entities and R of relations."""
    return L_r + lambda1 * L_a + lambda2 * (jnp.sum(E**2) + jnp.sum(R**2))


def _counted_softmax(x: jax.Array, count: jax.Array) -> jax.Array:
    """The softmax of [k] in which entry i stands for count[i] equal ones; 0 where nothing counts."""
    counts = count > 0
    top = jax.lax.stop_gradient(jnp.max(jnp.where(counts, x, -jnp.inf), initial=-jnp.inf))
    shift = jnp.where(jnp.isfinite(top), top, 0)
    weights = count * jnp.exp(jnp.where(counts, x - shift, 0))
    total = weights.sum()
    return weights / jnp.where(total > 0, total, 1)
