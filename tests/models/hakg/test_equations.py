"""The slides' and the official code's formulas: hand-worked values, and the model that trains against them."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.data.batching import get_batch
from hkjax.geometry import poincare
from hkjax.models.hakg import equations as q
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hakg.parameters import HAKG
from hkjax.models.hakg.propagation import propagate
from hkjax.ops.lowerings.threefry import random_bits, unpack_bits
from hkjax.ops.sampling import dropout, sample_negatives

# Every alternative at least once.
CHOICES = [
    {"layers": 2},
    {"message": "euclidean", "gate": False, "item_aggregation": "sum", "angle_pairs": "both"},
    {"dual_items": False, "normalize_layers": True, "message_dropout": 0.3, "angle_space": "parameter"},
    {"message": "official", "angle": "clipped", "angle_mask": True},
    {"angle_weight": 0.0, "score": "cosine_of_sum"},
    OFFICIAL,
]


def messages(config, h, r, t):
    if config.message == "slides":
        return jax.vmap(q.message)(*(jax.vmap(q.exp_0)(v) for v in (h, r, t)))
    if config.message == "official":
        return jax.vmap(partial(q.official_message, eps=config.ball_eps))(h, r, t)
    return jax.vmap(q.euclidean_message)(h, r, t)


def aggregate(x, owner, n, how="mean"):
    total = jax.ops.segment_sum(x, owner, n)
    return total if how == "sum" else total / jnp.maximum(jnp.bincount(owner, length=n), 1)[:, None]


def sum_of_layers(config, p, inputs, key):
    """Users, entities and items, each the sum of layers 0 to L, from the functions of `equations.py`."""
    g, a, n_items = inputs.graph, inputs.interactions, inputs.item_degree.size
    layer_keys = jax.random.split(key, config.layers + 1)[1:]
    x = [p.user, p.entity, p.entity[:n_items] if p.item is None else p.item]
    total = list(x)
    for k in range(config.layers):
        user, entity, item = x
        fused = e = entity[:n_items]
        if config.dual_items:
            gates = jax.vmap(partial(q.gate, p.gates[1][k], p.gates[0][k])) if config.gate else lambda e, c: 0.5
            fused = jax.vmap(q.fuse)(jnp.broadcast_to(gates(e, item), e.shape), e, item)
        x = [
            aggregate(fused[a.columns], a.rows, len(user)),
            aggregate(messages(config, entity[g.rows], p.relation[g.attr], entity[g.columns]), g.rows, len(entity)),
            aggregate(user[a.rows], a.columns, n_items, config.item_aggregation),
        ]
        for i, key in enumerate(jax.random.split(layer_keys[k], 3)):
            if config.message_dropout:
                x[i] = x[i] * dropout(key, jnp.ones_like(x[i]), config.message_dropout)
            if config.normalize_layers:
                x[i] = jax.vmap(q.normalize)(x[i])
        if not config.dual_items:
            x[2] = x[1][:n_items]
        total = [a + b for a, b in zip(total, x, strict=True)]
    return total


def loss_by_equations(config, p, inputs, batch, key):
    """The loss of a batch, with the draws of the model: dropout, negatives, masks."""
    propagation_key, negatives_key, mask_key = jax.random.split(key, 3)
    n_items = inputs.item_degree.size
    users, entities, items = sum_of_layers(config, p, inputs, propagation_key)
    tables = [entities[:n_items], items] if config.dual_items else [entities[:n_items]]
    drawn = sample_negatives(
        negatives_key, inputs.exclusions, batch["user"], batch["example"], config.negatives, n_items
    )

    def of_row(user, item, negatives):
        unit = jnp.stack([jax.vmap(q.normalize)(table[jnp.append(negatives, item)]) for table in tables])
        cosines = unit @ q.normalize(users[user])
        negative, positive = cosines[:, :-1], cosines[:, -1]
        return q.ranking_loss(positive, negative, config.margin)

    ranking = jnp.mean(batch["weight"] * jax.vmap(of_row)(batch["user"], batch["item"], drawn))
    if not config.angle_weight:
        return ranking
    x, y = p.entity[inputs.pairs.rows], p.entity[inputs.pairs.columns]
    if config.angle_space == "ball":
        x, y = jax.vmap(q.exp_0)(x), jax.vmap(q.exp_0)(y)
    if config.angle_mask:
        mask = unpack_bits(random_bits(mask_key, (len(x), 1)), jnp.arange(x.shape[1]))
        x, y = mask * x, mask * y
    if config.angle == "exact":
        losses = jax.vmap(partial(q.angle_loss, K=config.aperture))(y, x)
    else:
        losses = jax.vmap(partial(q.official_angle_loss, K=config.aperture))(x, y)
    return ranking + config.angle_weight * losses.mean()


def case(choices, data):
    """A model that keeps all edges, its module, and parameters some way from 0."""
    config = HAKGConfig(**{"dim": 6, "layers": 1, "negatives": 7, "edge_keep": 1.0, "interaction_keep": 1.0, **choices})
    model = hakg(config, data, batch_size=32)
    params = jax.jit(model.init)(jax.random.key(0))
    params = jax.tree.map(lambda x: 2 * x.astype(jnp.float64), params)
    return config, model, HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations), params


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_what_trains_is_the_equations_in_values_and_gradients(choices, tiny_data):
    with jax.enable_x64(True):
        config, model, module, params = case(choices, tiny_data)
        batch, key = get_batch(model.batches, model.batches.buckets, 1), jax.random.key(3)

        def by_equations(params):
            return loss_by_equations(config, module.apply(params), model.inputs, batch, key)

        def by_model(params):
            return model.loss(params, model.inputs, batch, key)[0]

        expected, found = (jax.jit(jax.value_and_grad(f))(params) for f in (by_equations, by_model))
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
        scale = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(expected[1]))
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12 * scale), found[1], expected[1])


def test_the_sum_of_layers_is_the_models(tiny_data):
    with jax.enable_x64(True):
        config, model, module, params = case({"layers": 2}, tiny_data)
        p, g, a = module.apply(params), model.inputs.graph, model.inputs.interactions
        triples, likes = jnp.stack([g.rows, g.attr, g.columns], axis=1), jnp.stack([a.rows, a.columns], axis=1)
        # The model's W1 belongs to c, the slides' to e.
        start, gates = q.Tables(p.user, p.entity, p.item), (p.gates[1], p.gates[0])
        expected = jax.jit(q.sum_of_layers)(start, p.relation, gates, triples, likes)
        found = jax.jit(partial(propagate, config, key=None))(p, model.inputs)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-11, atol=1e-13), [*found], [*expected])


@pytest.mark.parametrize("score", ["sum_of_cosines", "cosine_of_sum"])
def test_scores_are_cosines(score, tiny_data):
    with jax.enable_x64(True):
        config, model, module, params = case({"score": score}, tiny_data)
        representation = jax.jit(model.encode)(params, model.inputs)
        user, entity, item = sum_of_layers(config, module.apply(params), model.inputs, jax.random.key(0))
        u, e, c = user[3], entity[5], item[5]
        expected = q.score(u, e, c) if score == "sum_of_cosines" else q.normalize(u) @ q.normalize(e + c)
        found = model.score_pairs(representation, jnp.array([3]), jnp.array([5]))[0]
        np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_by_hand():
    x, y = jnp.array([0.5, 0.0]), jnp.array([0.0, 0.3])
    with jax.enable_x64(True):
        np.testing.assert_allclose(q.log_0(q.exp_0(jnp.array([0.3, -2.0]))), [0.3, -2.0], rtol=1e-12)
        np.testing.assert_allclose(q.aggregate(jnp.array([[1.0, 2.0], [3.0, 6.0]])), [2, 4])
        np.testing.assert_array_equal(q.aggregate(jnp.zeros((0, 2))), [0, 0])
        gate = q.gate(0 * jnp.eye(2), jnp.eye(2), e=jnp.array([9.0, 9.0]), c=jnp.array([0.0, math.log(3)]))
        np.testing.assert_allclose(gate, [0.5, 0.75], rtol=1e-12)
        np.testing.assert_allclose(q.fuse(gate, jnp.array([4.0, 4.0]), jnp.array([0.0, 8.0])), [2, 7], rtol=1e-12)
        np.testing.assert_allclose(q.half_aperture(x, 0.1), math.asin(0.1 * 0.75 / 0.5), rtol=1e-6)
        # arccos((0 - 0.25 (1 + 0.09)) / (0.5 sqrt(0.34) sqrt(1 + 0.0225))), as printed.
        printed = math.acos(-0.25 * 1.09 / (0.5 * math.sqrt(0.34) * math.sqrt(1.0225)))
        np.testing.assert_allclose(q.angle(x, y), printed, rtol=1e-6)
        np.testing.assert_allclose(q.angle_loss(y, x, 0.1), printed - math.asin(0.15), rtol=1e-6)
        # Near 0 the slides' message is t + r - h, the official one t + r + h.
        h, r, t = 1e-7 * jnp.array([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]])
        np.testing.assert_allclose(q.message(*map(q.exp_0, (h, r, t))), t + r - h, rtol=1e-6)
        np.testing.assert_allclose(q.official_message(h, r, t, 1e-5), t + r + h, rtol=1e-6)


def test_far_out_the_official_logarithm_is_cut():
    with jax.enable_x64(True):
        h, r, t = jnp.array([0.1, 0.0]), jnp.zeros(2), jnp.array([30.0, 0.0])
        v = q.official_message(h, r, t, eps=1e-7)
        x = poincare.project(q.exp_0(h), 1.0, 1e-7)
        artanh = jnp.linalg.norm(v) * poincare.conformal_factor(x, 1.0) / 2
        np.testing.assert_allclose(artanh, math.atanh(1 - 1e-5), rtol=1e-9)
        gradients = jax.grad(lambda *v: jnp.sum(q.official_message(*v, eps=1e-7)), argnums=(0, 1, 2))(h, r, t)
        assert all(bool(jnp.isfinite(g).all()) for g in gradients)


THREE, TWO, SQUARE = jnp.zeros(3), jnp.zeros(2), jnp.zeros((3, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: q.message(THREE, TWO, THREE), r"message: expected .*; found e_h \[3\], e_r \[2\], e_t \[3\]"),
        (lambda: q.message(SQUARE, SQUARE, SQUARE), "message: expected e_h"),
        (lambda: q.official_message(THREE, THREE, TWO, 1e-5), r"official_message: .*t \[2\]"),
        (lambda: q.euclidean_message(THREE, THREE, TWO), r"euclidean_message: .*t \[2\]"),
        (lambda: q.aggregate(THREE), r"aggregate: .*x \[3\]"),
        (lambda: q.gate(SQUARE, SQUARE, TWO, THREE), r"gate: .*e \[2\]"),
        (lambda: q.fuse(THREE, THREE, jnp.zeros(1)), r"fuse: .*c \[1\]"),
        (lambda: q.half_aperture(SQUARE, 0.1), r"half_aperture: .*x \[3, 3\]"),
        (lambda: q.angle(THREE, TWO), r"angle: .*y \[2\]"),
        (lambda: q.angle_loss(THREE, TWO, 0.1), r"angle_loss: .*e_t \[2\]"),
        (lambda: q.official_angle_loss(THREE, TWO, 0.1), r"official_angle_loss: .*y \[2\]"),
        (lambda: q.score(THREE, THREE, TWO), r"score: .*c \[2\]"),
        (lambda: q.ranking_loss(TWO, jnp.zeros((3, 4)), 0.1), r"ranking_loss: .*negative \[3, 4\]"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, message):
    with pytest.raises(AssertionError, match=message):
        call()
