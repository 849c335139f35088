"""HAKG's formulas, in the letters of its slides, for one edge, item, user or pair, and a whole layer of them.

"Hierarchy-Aware Knowledge Gated Network for Recommendation" (Du et al., SIGIR 2022, arXiv 2204.04959), its slides and
its official code. Each function takes arrays only; jax.vmap gives it batches. The model computes the same for whole
tables and is tested equal to these functions. The curvature of the Poincare ball is -1, so that c = 1 in
`hkjax.geometry.poincare`. e_h, e_r, e_t are points of the ball; h, r, t their tangent vectors at 0.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.geometry import cones, poincare
from hkjax.shapes import check_same_shape


def exp_0(v: jax.Array) -> jax.Array:
    """Exponential map at 0 (slides, "Hyperbolic Geometry"): the point of the ball, [d], from a tangent vector [d]."""
    return poincare.exp_map_zero(v, 1.0)


def log_0(e: jax.Array) -> jax.Array:
    """Logarithmic map at 0, the inverse of `exp_0`: [d] -> [d]."""
    return poincare.log_map_zero(e, 1.0)


def message(e_h: jax.Array, e_r: jax.Array, e_t: jax.Array) -> jax.Array:
    """Slide "Relation-Transitive Aggregation": log_{e_h}(e_t (+) e_r), tangent at e_h, [d] from points [d].

    Example:
        >>> message(jnp.zeros(2), jnp.zeros(2), exp_0(jnp.array([1.0, 0.0]))).round(4).tolist()
        [1.0, 0.0]
    """
    check_same_shape("message", e_h=e_h, e_r=e_r, e_t=e_t)
    return poincare.log_map(e_h, poincare.mobius_add(e_t, e_r, 1.0), 1.0)


def official_message(h: jax.Array, r: jax.Array, t: jax.Array, eps: float) -> jax.Array:
    """The official code's message: log_x(project(exp_x(t) (+) exp_x(r))) with x = project(exp_0(h)), [d].

    h, r, t are tangent vectors at 0, of which t and r are used at x, unchanged. `eps` is the projections' distance from
    the boundary. As in the code, the artanh inside the logarithm is cut at 1 - 1e-5.
    """
    check_same_shape("official_message", h=h, r=r, t=t)
    x = poincare.project(exp_0(h), 1.0, eps)
    y = poincare.mobius_add(poincare.exp_map(x, t, 1.0), poincare.exp_map(x, r, 1.0), 1.0)
    v = poincare.log_map(x, poincare.project(y, 1.0, eps), 1.0)
    # The length of v is 2 artanh(.) / lambda_x.
    longest = 2 * math.atanh(1 - 1e-5) / poincare.conformal_factor(x, 1.0)
    length = jnp.sqrt(jnp.where(v @ v > longest**2, v @ v, 1))
    return jnp.where(v @ v > longest**2, longest / length, 1) * v


def euclidean_message(h: jax.Array, r: jax.Array, t: jax.Array) -> jax.Array:
    """The ablation without hyperbolic geometry, t + r - h: the limit of `message` as the curvature vanishes."""
    return t + r - h


def mean(x: jax.Array) -> jax.Array:
    """The mean of messages, of items or of users around one node, [d] from [m, d]; 0 where m = 0."""
    return x.sum(0) / max(1, len(x))


def gate(W1: jax.Array, W2: jax.Array, e: jax.Array, c: jax.Array) -> jax.Array:
    """Slide "Gated Aggregation": g = sigmoid(W1 c + W2 e), [d] from matrices [d, d] and an item's tangent vectors [d].

    e is the item's embedding in the graph, c its collaborative one. W1 and W2 are named as in the official code; the
    slides have them the other way round, sigmoid(W1 e + W2 c).
    """
    return jax.nn.sigmoid(c @ W1 + e @ W2)


def fuse(g: jax.Array, e: jax.Array, c: jax.Array) -> jax.Array:
    """Slide "Gated Aggregation": what users aggregate of an item, g * c + (1 - g) * e, [d].

    Without a gate g is 1/2; without dual items it is 0, as there is no c.
    """
    return g * c + (1 - g) * e


def half_aperture(x: jax.Array, K: float) -> jax.Array:
    """Slide "Angle Constraint": psi_x = arcsin(K (1 - |x|^2) / |x|), the half-angle of the cone at x, [] from [d].

    The argument is cut just below 1, see `hkjax.geometry.cones.half_aperture`.
    """
    return cones.half_aperture(x, K, 1.0)


def angle(x: jax.Array, y: jax.Array) -> jax.Array:
    """Slide "Angle Constraint": the angle at x between the axis of its cone and the geodesic to y, [] from [d].

    arccos((<x,y>(1 + |x|^2) - |x|^2 (1 + |y|^2)) / (|x| |x - y| sqrt(1 + |x|^2 |y|^2 - 2<x,y>))).
    """
    return cones.angle_at_apex(x, y, 1.0)


def angle_loss(e_i: jax.Array, e_t: jax.Array, K: float) -> jax.Array:
    """Slide "Angle Constraint": max(angle(e_t, e_i) - psi_{e_t}, 0) of an item and its attribute, the apex.

    Example:
        >>> attribute, item = jnp.array([0.3, 0.0]), jnp.array([0.6, 0.01])
        >>> float(angle_loss(item, attribute, K=0.1))
        0.0
    """
    check_same_shape("angle_loss", e_i=e_i, e_t=e_t)
    return jax.nn.relu(angle(e_t, e_i) - half_aperture(e_t, K))


def official_angle_loss(x: jax.Array, y: jax.Array, K: float) -> jax.Array:
    """The official code's angle loss of an apex x and a point y: cosine and half-aperture are clipped, [] from [d].

    The code takes parameters instead of points of the ball, both ends of a pair as apex in turn, and a fresh 0/1 mask
    of each pair's dimensions on both x and y.
    """
    check_same_shape("official_angle_loss", x=x, y=y)
    clipped = cones.clipped_angle_of(x @ x, x @ y, y @ y)
    return jax.nn.relu(clipped - cones.clipped_half_aperture_of(x @ x, K))


def cosine(x: jax.Array, y: jax.Array) -> jax.Array:
    """cos(x, y), [] from [d]; lengths below 1e-12 count as that."""
    return normalize(x) @ normalize(y)


def normalize(x: jax.Array) -> jax.Array:
    """x / |x|, [d]; divided by 1e-12 where |x| is smaller. The official code does so to each layer's rows."""
    long = x @ x > 1e-24
    return x / jnp.where(long, jnp.sqrt(jnp.where(long, x @ x, 1)), 1e-12)


def ranking_loss(positive: jax.Array, negative: jax.Array, margin: float) -> jax.Array:
    """The official code's ranking loss of one user and item.

        relu(T - sum_t cos(u, t_i)) + sum_t sum_j relu(cos(u, t_j) - margin) / (active j + 1e-5)

    over T item tables t: entities and, with dual items, collaborative embeddings. j is active above the margin.

    Args:
        positive: cos(u, t_i) of the item in each table, [T].
        negative: cos(u, t_j) of the drawn items, [T, K].
        margin: in [-1, 1].

    Example:
        >>> loss = ranking_loss(jnp.array([1.0, 0.5]), jnp.array([[0.1, 0.8], [0.2, 0.3]]), margin=0.6)
        >>> round(float(loss), 3)
        0.7
    """
    excess = jax.nn.relu(negative - margin)
    active = jnp.sum(excess > 0, axis=1, dtype=jnp.float32) + 1e-5
    return jax.nn.relu(len(positive) - positive.sum()) + jnp.sum(excess.sum(1) / active)


def score(u: jax.Array, e: jax.Array, c: jax.Array) -> jax.Array:
    """cos(u, e) + cos(u, c), which is what the loss trains; the official code ranks by cos(u, e + c). [] from [d]."""
    return cosine(u, e) + cosine(u, c)


class Tables(NamedTuple):
    """Tangent vectors at 0: users [users, d], entities [entities, d], items first, and items' collaborative ones."""

    user: jax.Array
    entity: jax.Array
    item: jax.Array


def layer(x: Tables, r: jax.Array, W1: jax.Array, W2: jax.Array, triples: jax.Array, likes: jax.Array) -> Tables:
    """One layer of the slides; the result of the model is the sum of layers 0 to L.

    Args:
        x: the layer before.
        r: relations, tangent vectors [relations, d].
        W1, W2: the layer's gate, [d, d].
        triples: int [edges, 3] of head, relation, tail, every triple in both directions.
        likes: int [interactions, 2] of user and item.

    Returns:
        Rows without an edge are 0.
    """
    n_items = len(x.item)
    heads, relations, tails = triples.T
    users, items = likes.T
    messages = jax.vmap(message)(*(jax.vmap(exp_0)(v) for v in (x.entity[heads], r[relations], x.entity[tails])))
    e, c = x.entity[:n_items], x.item
    fused = jax.vmap(lambda e, c: fuse(gate(W1, W2, e, c), e, c))(e, c)
    return Tables(
        user=_means(fused[items], users, len(x.user)),
        entity=_means(messages, heads, len(x.entity)),
        item=_means(x.user[users], items, n_items),
    )


def _means(x: jax.Array, owner: jax.Array, n: int) -> jax.Array:
    """`mean` of the rows x [m, d] of each of n owners, [n, d]."""
    return jax.ops.segment_sum(x, owner, n) / jnp.maximum(jnp.bincount(owner, length=n), 1)[:, None]
