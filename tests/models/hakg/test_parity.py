"""Parity: what the official HAKG computes on a small graph, reproduced array by array.

The files are read from the folder that HKJAX_PARITY names; every setting comes from the file.
"""

import dataclasses
import functools
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hkjax.geometry import cones
from hkjax.geometry import poincare as ball
from hkjax.models.hakg import message, propagation
from hkjax.models.hakg.losses import cone_loss, contrastive_loss, cosines, pair_losses
from hkjax.ops.messages import row_gram
from hkjax.ops.pairs import masked_gram
from hkjax.ops.rows import l2_normalize
from hkjax.training.state import OptimizerConfig, make_optimizer
from tests.reference.official_hakg import OfficialCase, messages_with_their_factors

FOLDER = Path(os.environ.get("HKJAX_PARITY", "../shared/parity"))
FILES = sorted(FOLDER.glob("model_*_*.npz"))

pytestmark = pytest.mark.skipif(not FILES, reason=f"parity: no model_*_*.npz in {FOLDER}; set HKJAX_PARITY")


@pytest.fixture(params=FILES, ids=lambda path: path.stem, scope="module")
def case(request):
    with jax.enable_x64(True):
        yield OfficialCase(request.param)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def tolerance(case):
    return 1e-9 if case.dtype == np.float64 else 2e-5


def close(actual, expected, case):
    expected = np.asarray(expected)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=tolerance(case), atol=tolerance(case) * scale)


def test_parity_of_the_message_of_every_edge(case):
    z = case.z
    entity = jnp.asarray(z["param/all_embed"][int(z["n_users"]) :])
    relation = jnp.asarray(z["param/gcn.relation_weight"])[z["edge_type"] - 1]
    h, t = entity[z["edge_index"][0]], entity[z["edge_index"][1]]
    alpha, beta, gamma = message.official_message(row_gram(h, t, relation), case.config.ball_eps)
    found = alpha[:, None] * h + beta[:, None] * t + gamma[:, None] * relation
    close(found, z["hop0/edge_message"], case)


def test_parity_of_every_layer(case):
    raw, total, propagated = case.propagated
    names = ("user", "entity", "item_cf")
    for hop, x in enumerate(raw):
        for name, rows in zip(names, x, strict=True):
            close(rows, case.z[f"hop{hop}/raw_{name}"], case)
    for x in (total, propagated):
        for name, rows in zip(names, x, strict=True):
            close(rows, case.z[f"gcn/{name}"], case)
    probe = sum(jnp.vdot(rows, case.z[f"cot/{name}"]) for name, rows in zip(names, propagated, strict=True))
    close(probe, case.z["loss/probe"], case)
    close(propagated.user, case.z["generate/user"], case)
    n_items = int(case.z["n_items"])
    close(propagated.entity.at[:n_items].add(propagated.item), case.z["generate/entity"], case)


@pytest.mark.parametrize(
    ("name", "margin"), [("contrastive", None), ("contrastive_m01", 0.1), ("contrastive_m-05", -0.5)]
)
def test_parity_of_the_ranking_loss(case, name, margin):
    z = case.z
    _, _, x = case.propagated
    n_items = int(z["n_items"])
    tables = [l2_normalize(table) for table in (x.entity[:n_items], x.item)]
    margin = case.config.margin if margin is None else margin
    user, negative = l2_normalize(x.user)[z["users"]], jnp.asarray(z["neg"])
    losses = contrastive_loss(cosines(user, tables, z["pos"], negative), margin)
    close(losses.mean(), z[f"loss/{name}"], case)


def test_parity_of_the_angle_loss(case):
    z = case.z
    entity = jnp.asarray(z["param/all_embed"][int(z["n_users"]) :])
    apex, other = z["triplet_item_att"]
    pack = 1 << np.arange(32, dtype=np.uint64)
    masks = {"angle": np.ones_like(z["angle/mask"], int), "angle_masked": z["angle/mask"].astype(int)}
    d = entity.shape[1]
    for name, mask in masks.items():
        words = np.pad(mask, ((0, 0), (0, -d % 32))).reshape(len(apex), -1, 32)
        bits = jnp.asarray((words * pack).sum(-1).astype(np.uint32))
        xx, xy, yy = masked_gram(entity, apex, other, np.argsort(other), bits, jnp.arange(d)).T
        angles, apertures = cones.clipped_angle_of(xx, xy, yy), cones.clipped_half_aperture_of(xx, case.config.aperture)
        if name == "angle":
            close(angles, z["angle/angle_at_u"], case)
            close(apertures, z["angle/half_aperture"], case)
        loss = case.config.angle_weight * pair_losses(case.config, xx, xy, yy).mean()
        close(loss, z[f"loss/{name}"], case)


def ranking_loss(config, x, n_items, users, positive, negative):
    user, tables = l2_normalize(x.user)[users], [l2_normalize(table) for table in (x.entity[:n_items], x.item)]
    of_tables = cosines(user, tables, positive, negative)
    return contrastive_loss(of_tables, config.margin).mean()


@functools.partial(jax.jit, static_argnums=0)
def ranking_gradients(model, params, inputs, *rows):
    def loss(params):
        x = propagation.propagate(model.config, model.apply(params), inputs, None)
        return ranking_loss(model.config, x, model.n_items, *rows)

    return jax.grad(loss)(params)


def test_parity_of_the_gradients(case):
    """Of the ranking loss, but for entities: those have the official code's detached factors in their way."""
    z, n_users = case.z, int(case.z["n_users"])
    rows = (z["users"], z["pos"], z["neg"])
    gradients = ranking_gradients(case.model, case.params, case.recommender.inputs, *rows)["params"]
    close(gradients["user"], z["grad_contrastive/all_embed"][:n_users], case)
    close(gradients["item"], z["grad_contrastive/item_emb_cf"], case)
    close(gradients["relation"], case.relations(z["grad_contrastive/gcn.relation_weight"], z), case)
    for layer in range(case.config.layers):
        for name, side in (("item_gate", 1), ("entity_gate", 2)):
            close(gradients[name][layer], z[f"grad_contrastive/gcn.convs.{layer}.gate{side}.weight"].T, case)


OPTIMIZER = make_optimizer(OptimizerConfig(learning_rate=1e-3), steps_per_epoch=5)


@functools.partial(jax.jit, static_argnums=0)
def step_of_adam(model, params, moments, inputs, *rows):
    """Of the loss without masks."""
    config = dataclasses.replace(model.config, angle_mask=False)

    def loss(params):
        p = model.apply(params)
        ranking = ranking_loss(config, propagation.propagate(config, p, inputs, None), model.n_items, *rows)
        return ranking + config.angle_weight * cone_loss(config, p.entity, inputs.pairs, jax.random.key(0))

    value, gradients = jax.value_and_grad(loss)(params)
    updates, moments = OPTIMIZER.update(gradients, moments, params)
    return optax.apply_updates(params, updates), moments, value, gradients


def all_close(found, case, prefix):
    """Compares arrays laid out as our parameters with those of the file under their names."""
    z, n_users = case.z, int(case.z["n_users"])
    close(found["user"], z[f"{prefix}/all_embed"][:n_users], case)
    close(found["entity"], z[f"{prefix}/all_embed"][n_users:], case)
    close(found["item"], z[f"{prefix}/item_emb_cf"], case)
    close(found["relation"], case.relations(z[f"{prefix}/gcn.relation_weight"], z), case)
    for layer in range(case.config.layers):
        for name, side in (("item_gate", 1), ("entity_gate", 2)):
            close(found[name][layer], z[f"{prefix}/gcn.convs.{layer}.gate{side}.weight"].T, case)


def test_parity_of_all_gradients_with_their_factors_and_of_five_steps_of_adam(case, monkeypatch):
    monkeypatch.setattr(propagation, "messages", messages_with_their_factors)
    rows = [case.z[name] for name in ("users", "pos", "neg")]
    params, moments, losses = case.params, OPTIMIZER.init(case.params), []
    for i in range(5):
        params, moments, value, gradients = step_of_adam(case.model, params, moments, case.recommender.inputs, *rows)
        losses.append(value)
        if i == 0:
            all_close(gradients["params"], case, "grad_total")
    close(np.array(losses), case.z["adam5/losses"], case)
    # Adam divides by the size of a gradient: in float32, of one that is all rounding, too.
    if case.dtype == np.float64:
        all_close(params["params"], case, "adam5")


def test_parity_of_the_pairs(case):
    pairs = case.recommender.inputs.pairs
    ours = np.stack([pairs.rows, pairs.columns])
    assert sorted(ours.T.tolist()) == sorted(case.z["triplet_item_att"].T.tolist())


def test_parity_of_the_ratings(case):
    representation = jax.jit(case.recommender.encode)(case.params, case.recommender.inputs)
    scores = case.recommender.score_all_items(representation, jnp.arange(case.data.n_users))
    close(scores, case.z["rating/cosine"], case)
    _, _, x = case.propagated
    user, item = x.user, x.entity[: case.data.n_items] + x.item
    close(user @ item.T, case.z["rating/inner"], case)
    users, items = (ball.project(ball.exp_map_zero(rows, 1.0), 1.0, case.config.ball_eps) for rows in (user, item))
    # Their artanh, half the distance, is cut at 1 - 1e-5.
    distances = jnp.minimum(ball.distance(users[:, None], items[None], 1.0), 2 * np.arctanh(1 - 1e-5))
    # Near the boundary their float32 arithmetic is up to 5e-4 off their own double one with the same margin.
    exact = case.path.with_name(case.path.name.replace("_f32", "_f64eps32"))
    close(-(distances**2), np.load(exact if exact.exists() else case.path)["rating/hyperbolic"], case)
