"""HKRM's equations 1 to 13, in the paper's letters, for one user q, one item t, or one pair of both.

"A Hierarchical Knowledge-based Joint Learning Framework for Recommendation" (Sun, Ni, Yang; CNCI 2020, DOI
10.23977/CNCI2020076). Each function takes arrays of any finite floats; jax.vmap gives it batches. The model computes
the same for many rows at once and is tested equal. What the paper leaves open is marked "assumed".

    m     liked items of the query q            e_i   embedding of item i, [d]
    n     attribute fields                      o_j   sum of an item's values in field j, [d]
    d     embedding size                        R_j   relation of field j, [d] (diagonal) or [d, d]
"""

from typing import Literal

import jax
import jax.numpy as jnp

from hkjax.models.hkrm.softmax import counted_softmax, proximity_softmax, relate
from hkjax.shapes import check


def query_vector(w: jax.Array, e: jax.Array) -> jax.Array:
    """Eq. 1: q_s = sum_i w_i e_i, [d] from weights [m] and embeddings [m, d]. A target has t_s = e_t.

    Example:
        >>> query_vector(jnp.array([0.25, 0.75]), jnp.array([[4.0, 0.0], [0.0, 4.0]])).tolist()
        [1.0, 3.0]
    """
    check("query_vector", w=(w, "m"), e=(e, "m d"))
    return w @ e


def item_weights(p: jax.Array, count: jax.Array | None = None) -> jax.Array:
    """Eq. 2: w = softmax_i(p_i / m), [m] from learned p [m]; without any item all weights are 0.

    Item i counts count[i] times, once if absent; m is their sum. The derivative by a count above 0 is a contribution.

    Example:
        >>> item_weights(jnp.array([0.0, 2 * jnp.log(3.0)])).round(2).tolist()
        [0.25, 0.75]
    """
    count = jnp.ones_like(p) if count is None else count
    check("item_weights", p=(p, "m"), count=(count, "m"))
    m = count.sum()
    return counted_softmax(p / jnp.where(m > 0, m, 1), count)


def field_vectors(h: jax.Array, field: jax.Array, n: int) -> jax.Array:
    """Eq. 3: o_j = sum_k h_jk, [n, d] from an item's values h [k, d] and the field of each, int [k] below n.

    Example:
        >>> field_vectors(jnp.array([[1.0], [2.0], [4.0]]), jnp.array([0, 2, 0]), n=3).ravel().tolist()
        [5.0, 0.0, 2.0]
    """
    check("field_vectors", h=(h, "k d"), field=(field, "k"))
    return jax.ops.segment_sum(h, field, n)


def proximity_logits(o: jax.Array, R: jax.Array, x: jax.Array) -> jax.Array:
    """The exponents of eq. 4 and 5, o_j . R_j . x: [n] from o [n, d], R [n, d] or [n, d, d] and x = q_s or t_s, [d].

    Example:
        >>> proximity_logits(jnp.eye(2), jnp.ones((2, 2)), jnp.array([3.0, 5.0])).tolist()
        [3.0, 5.0]
    """
    check("proximity_logits", o=(o, "n d"), R=(R, "n d" if R.ndim < 3 else "n d d"), x=(x, "d"))
    return (o * relate(R, x)).sum(-1)


def preference(
    logits: jax.Array, has: jax.Array, count: jax.Array | None = None, pooling: Literal["mean", "joint"] = "mean"
) -> jax.Array:
    """Eq. 4: P(A|q), [n], from the proximity logits of the query's items and the fields that they have, [m, n] each.

    `mean` (assumed): the mean of the items' softmaxes. `joint`: one softmax, with the sum over items inside its
    numerator and denominator. `count` is as in `item_weights`. Uniform where there is nothing to pool.

    Example:
        >>> preference(jnp.zeros((2, 2)), jnp.array([[True, True], [True, False]])).tolist()
        [0.75, 0.25]
    """
    count = jnp.ones(len(logits), logits.dtype) if count is None else count
    check("preference", logits=(logits, "m n"), has=(has, "m n"), count=(count, "m"))
    if pooling == "mean":
        m = count.sum()
        pooled = count @ proximity_softmax(logits, has) / jnp.where(m > 0, m, 1)
    else:
        pooled = counted_softmax(logits.ravel(), (count[:, None] * has).ravel()).reshape(logits.shape).sum(0)
    return jnp.where(pooled.sum() == 0, 1 / logits.shape[1], pooled)


def importance(logits: jax.Array, has: jax.Array) -> jax.Array:
    """Eq. 5: P^(A|t), the proximity softmax over the target's fields, [..., n] from logits and bool [..., n].

    An absent field gets probability 0; without any field all are alike (assumed).

    Example:
        >>> importance(jnp.array([0.0, 9.0, 0.0]), jnp.array([True, False, True])).tolist()
        [0.5, 0.0, 0.5]
    """
    check("importance", logits=(logits, "... n"), has=(has, "... n"))
    return proximity_softmax(logits, has)


def attribute_level(P: jax.Array, W1: jax.Array, b1: jax.Array, W2: jax.Array, b2: jax.Array) -> jax.Array:
    """Eq. 6 and 7: q_A = MLP(P(A|q)) and t_A = MLP(P^(A|t)), [..., d] from [..., n]; one hidden tanh layer, shared.

    Example:
        >>> attribute_level(jnp.ones(2), jnp.zeros((2, 3)), jnp.zeros(3), jnp.ones((3, 1)), jnp.ones(1)).tolist()
        [1.0]
    """
    check("attribute_level", P=(P, "... n"), W1=(W1, "n h"), b1=(b1, "h"), W2=(W2, "h d"), b2=(b2, "d"))
    return jnp.tanh(P @ W1 + b1) @ W2 + b2


def kl_divergence(P: jax.Array, log_Pt: jax.Array, has: jax.Array) -> jax.Array:
    """Eq. 8: KL(P(A|q), P^(A|t)) over the target's fields, [...] from P, log P^ and bool [..., n].

    A field that the target lacks has P^ = 0 and an infinite divergence whatever the parameters. So P is restricted to
    the target's fields and normalised (assumed). Where it has no mass there, the divergence is 0.

    Example:
        >>> P = jnp.array([0.5, 0.25, 0.25])
        >>> float(kl_divergence(P, jnp.log(jnp.array([0.25, 0.5, 0.25])), jnp.ones(3, bool)) / jnp.log(2.0))
        0.25
    """
    check("kl_divergence", P=(P, "... n"), log_Pt=(log_Pt, "... n"), has=(has, "... n"))
    inside = jnp.where(has, P, 0)
    mass = inside.sum(-1, keepdims=True)
    conditioned = inside / jnp.where(mass > 0, mass, 1)
    log_p = jnp.log(jnp.where(conditioned > 0, conditioned, 1))
    return (conditioned * (log_p - log_Pt)).sum(-1)


def cross_entropy(P: jax.Array, log_Pt: jax.Array, has: jax.Array) -> jax.Array:
    """Eq. 9 as printed, without the entropy: -sum_j P_j log P^_j over the target's fields, [...] from [..., n].

    Example:
        >>> float(cross_entropy(jnp.array([0.5, 0.5]), jnp.array([-1.0, -3.0]), jnp.array([True, False])))
        0.5
    """
    check("cross_entropy", P=(P, "... n"), log_Pt=(log_Pt, "... n"), has=(has, "... n"))
    return -(jnp.where(has, P, 0) * log_Pt).sum(-1)


def attribute_loss(y: jax.Array, divergence: jax.Array) -> jax.Array:
    """Eq. 9: L_a = y KL(P(A|q), P^(A|t)), which only positive pairs have; arrays of one shape.

    Example:
        >>> float(attribute_loss(1.0, 0.5))
        0.5
    """
    check("attribute_loss", y=(y, "..."), divergence=(divergence, "..."))
    return y * divergence


def relevance(q_s: jax.Array, q_A: jax.Array, t_s: jax.Array, t_A: jax.Array) -> jax.Array:
    """Eq. 10: rel = q_s.t_s + q_A.t_A + q_s.t_A + q_A.t_s, [] from vectors [d].

    Example:
        >>> float(relevance(*jnp.array([[1.0], [2.0], [10.0], [20.0]])))
        90.0
    """
    check("relevance", q_s=(q_s, "d"), q_A=(q_A, "d"), t_s=(t_s, "d"), t_A=(t_A, "d"))
    return q_s @ t_s + q_A @ t_A + q_s @ t_A + q_A @ t_s


def probability(rel: jax.Array) -> jax.Array:
    """Eq. 11: the probability y^ = sigmoid(rel) that the user likes the item; any shape.

    Example:
        >>> float(probability(0.0))
        0.5
    """
    return jax.nn.sigmoid(rel)


def recommendation_loss(y: jax.Array, rel: jax.Array) -> jax.Array:
    """Eq. 12: -y log y^ - (1 - y) log(1 - y^), finite for any rel; arrays of one shape.

    Example:
        >>> recommendation_loss(jnp.array([1.0, 0.0]), jnp.array([90.0, 90.0])).tolist()
        [0.0, 90.0]
    """
    check("recommendation_loss", y=(y, "..."), rel=(rel, "..."))
    return -y * jax.nn.log_sigmoid(rel) - (1 - y) * jax.nn.log_sigmoid(-rel)


def total_loss(L_r: jax.Array, L_a: jax.Array, E: jax.Array, R: jax.Array, lambda1: float, lambda2: float) -> jax.Array:
    """Eq. 13: L = L_r + lambda1 L_a + lambda2 (|E|^2 + |R|^2), over the tables E of entities and R of relations.

    Example:
        >>> float(total_loss(1.0, 2.0, jnp.ones((3, 2)), jnp.ones((1, 2)), lambda1=0.5, lambda2=0.25))
        4.0
    """
    return L_r + lambda1 * L_a + lambda2 * (jnp.sum(E**2) + jnp.sum(R**2))
