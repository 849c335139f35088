"""HAKG's formulas, in the letters of its slides, for one edge, item, user or pair, and a whole layer of them.

"Hierarchy-Aware Knowledge Gated Network for Recommendation" (Du et al., SIGIR 2022, arXiv 2204.04959), its slides and,
where these are silent, its official code; other forms are in `variants.py`. jax.vmap gives the functions batches. The
model computes the same for whole tables and is tested equal. The curvature of the Poincare ball is -1. e_h, e_r, e_t
are points of it, |e| < 1; h, r, t their tangent vectors at 0, of any length.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.geometry import cones, poincare
from hkjax.models.hakg.variants import euclidean_message as euclidean_message
from hkjax.models.hakg.variants import official_angle_loss as official_angle_loss
from hkjax.models.hakg.variants import official_message as official_message
from hkjax.shapes import check


def exp_0(v: jax.Array) -> jax.Array:
    """Exponential map at 0: the point of the ball, [d], from a tangent vector [d].

    Example:
        >>> print(exp_0(jnp.array([0.0, jnp.arctanh(0.5)])))
        [0.  0.5]
    """
    return poincare.exp_map_zero(v, 1.0)


def log_0(e: jax.Array) -> jax.Array:
    """Logarithmic map at 0, the inverse of `exp_0`: [d] -> [d].

    Example:
        >>> print(log_0(exp_0(jnp.array([1.0, 2.0]))).round(2))
        [1. 2.]
    """
    return poincare.log_map_zero(e, 1.0)


def message(e_h: jax.Array, e_r: jax.Array, e_t: jax.Array) -> jax.Array:
    """Slide "Relation-Transitive Aggregation": log_{e_h}(e_t (+) e_r), tangent at e_h, [d] from points [d].

    Example:
        >>> message(jnp.zeros(2), jnp.zeros(2), exp_0(jnp.array([1.0, 0.0]))).round(4).tolist()
        [1.0, 0.0]
    """
    check("message", e_h=(e_h, "d"), e_r=(e_r, "d"), e_t=(e_t, "d"))
    return poincare.log_map(e_h, poincare.mobius_add(e_t, e_r, 1.0), 1.0)


def aggregate(x: jax.Array) -> jax.Array:
    """The mean of an entity's messages, an item's users (c_i) or a user's fused items, tangent at 0, [d] from [m, d].

    Without any row it is 0. The official code sums an item's users.

    Example:
        >>> aggregate(jnp.array([[1.0, 2.0], [3.0, 6.0]])).tolist()
        [2.0, 4.0]
    """
    check("aggregate", x=(x, "m d"))
    return x.sum(0) / max(1, len(x))


def gate(W1: jax.Array, W2: jax.Array, e: jax.Array, c: jax.Array) -> jax.Array:
    """Slide "Gated Aggregation": g = sigmoid(W1 e + W2 c), [d]; rows times matrices [d, d].

    e is an item's embedding in the graph, c its collaborative one. The official code names the matrices the other way
    round, and so do the model's parameters: its W1, `item_gate`, belongs to c.

    Example:
        >>> gate(jnp.eye(1), jnp.eye(1), e=jnp.array([1.0]), c=jnp.array([-1.0])).tolist()
        [0.5]
    """
    check("gate", W1=(W1, "d d"), W2=(W2, "d d"), e=(e, "d"), c=(c, "d"))
    return jax.nn.sigmoid(e @ W1 + c @ W2)


def fuse(g: jax.Array, e: jax.Array, c: jax.Array) -> jax.Array:
    """Slide "Gated Aggregation": what users aggregate of an item, g * c + (1 - g) * e, [d].

    Without a gate g is 1/2. Without dual items there is no c, and users aggregate e.

    Example:
        >>> fuse(jnp.array([0.25]), e=jnp.array([4.0]), c=jnp.array([8.0])).tolist()
        [5.0]
    """
    check("fuse", g=(g, "d"), e=(e, "d"), c=(c, "d"))
    return g * c + (1 - g) * e


def half_aperture(x: jax.Array, K: float) -> jax.Array:
    """Slide "Angle Constraint": psi_x = arcsin(K (1 - |x|^2) / |x|), K > 0, half the angle of the cone at x; [].

    Example:
        >>> print(half_aperture(jnp.array([0.5, 0.0]), K=1 / 3).round(4))  # arcsin(1/2)
        0.5236
    """
    check("half_aperture", x=(x, "d"))
    return cones.half_aperture(x, K, 1.0)


def angle(x: jax.Array, y: jax.Array) -> jax.Array:
    """Slide "Angle Constraint": the angle at x between the axis of its cone and the geodesic to y, [] from [d].

    arccos((<x,y>(1 + |x|^2) - |x|^2 (1 + |y|^2)) / (|x| |x - y| sqrt(1 + |x|^2 |y|^2 - 2<x,y>))); 0 at x = 0 and x = y.

    Example:
        >>> print(angle(jnp.array([0.3, 0.0]), jnp.array([0.0, 0.0])).round(4))  # Back to the origin.
        3.1416
    """
    check("angle", x=(x, "d"), y=(y, "d"))
    return cones.angle_at_apex(x, y, 1.0)


def angle_loss(e_i: jax.Array, e_t: jax.Array, K: float) -> jax.Array:
    """Slide "Angle Constraint": max(angle(e_t, e_i) - psi_{e_t}, 0) of an item and its attribute, the apex; [].

    Example:
        >>> float(angle_loss(jnp.array([0.6, 0.01]), jnp.array([0.3, 0.0]), K=0.1))  # In the cone.
        0.0
    """
    check("angle_loss", e_i=(e_i, "d"), e_t=(e_t, "d"))
    return jax.nn.relu(angle(e_t, e_i) - half_aperture(e_t, K))


def normalize(x: jax.Array) -> jax.Array:
    """x / |x|, [d]; divided by 1e-12 where |x| is smaller. The official code does so to each layer's rows.

    Example:
        >>> print(normalize(jnp.array([0.0, 4.0])))
        [0. 1.]
    """
    long = x @ x > 1e-24
    return x / jnp.where(long, jnp.sqrt(jnp.where(long, x @ x, 1)), 1e-12)


def score(u: jax.Array, e: jax.Array, c: jax.Array) -> jax.Array:
    """cos(u, e) + cos(u, c), [] from [d]: what the loss trains. The official code ranks by cos(u, e + c).

    Example:
        >>> float(score(*jnp.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])))
        1.0
    """
    check("score", u=(u, "d"), e=(e, "d"), c=(c, "d"))
    return normalize(u) @ normalize(e) + normalize(u) @ normalize(c)


def ranking_loss(positive: jax.Array, negative: jax.Array, margin: float) -> jax.Array:
    """The official code's loss of a user u and an item i, [] from the cosines with i, [T], and drawn items j, [T, K].

    relu(T - sum_t cos(u, t_i)) + sum_t sum_j relu(cos(u, t_j) - margin) / (active j + 1e-5), over the T tables t of
    entities and, with dual items, of collaborative embeddings. j is active above the margin, in [-1, 1].

    Example:
        >>> loss = ranking_loss(jnp.array([1.0, 0.5]), jnp.array([[0.1, 0.8], [0.2, 0.3]]), margin=0.6)
        >>> round(float(loss), 3)
        0.7
    """
    check("ranking_loss", positive=(positive, "T"), negative=(negative, "T K"))
    excess = jax.nn.relu(negative - margin)
    active = jnp.sum(excess > 0, axis=1, dtype=jnp.float32) + 1e-5  # In float32 as in the code.
    return jax.nn.relu(len(positive) - positive.sum()) + jnp.sum(excess.sum(1) / active)


class Tables(NamedTuple):
    """Tangent vectors at 0: users [users, d], entities [entities, d], items first, and items' collaborative ones."""

    user: jax.Array
    entity: jax.Array
    item: jax.Array


def layer(x: Tables, r: jax.Array, W1: jax.Array, W2: jax.Array, triples: jax.Array, likes: jax.Array) -> Tables:
    """One layer of the slides, from the layer before; the model scores `sum_of_layers`.

    Relations r [relations, d], the layer's gate W1, W2, triples int [edges, 3] of head, relation, tail in both
    directions, and likes int [interactions, 2] of user and item. Rows without an edge become 0.
    """
    (heads, relations, tails), (users, items), n_items = triples.T, likes.T, len(x.item)
    messages = jax.vmap(message)(*(jax.vmap(exp_0)(v) for v in (x.entity[heads], r[relations], x.entity[tails])))
    fused = jax.vmap(lambda e, c: fuse(gate(W1, W2, e, c), e, c))(x.entity[:n_items], x.item)

    def means(x: jax.Array, owner: jax.Array, n: int) -> jax.Array:  # `aggregate` for each of n owners.
        return jax.ops.segment_sum(x, owner, n) / jnp.maximum(jnp.bincount(owner, length=n), 1)[:, None]

    user, entity = means(fused[items], users, len(x.user)), means(messages, heads, len(x.entity))
    return Tables(user, entity, means(x.user[users], items, n_items))


def sum_of_layers(
    x: Tables, r: jax.Array, gates: tuple[jax.Array, jax.Array], triples: jax.Array, likes: jax.Array
) -> Tables:
    """The sum of layers 0 to L from layer 0, with the gates W1, W2 of all layers, [L, d, d]; else as in `layer`."""
    total = x
    for W1, W2 in zip(*gates, strict=True):
        x = layer(x, r, W1, W2, triples, likes)
        total = Tables(*map(jnp.add, total, x))
    return total
