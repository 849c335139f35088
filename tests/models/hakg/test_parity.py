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

from hkjax.data.dataset import Interactions
from hkjax.data.read import DataConfig, build_dataset
from hkjax.geometry import cones
from hkjax.geometry import poincare as ball
from hkjax.models.hakg import message, model
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.models.hakg.losses import angle_loss, cone_loss, contrastive_loss, cosines, l2_normalize
from hkjax.models.hakg.model import hakg
from hkjax.models.hakg.parameters import HAKG
from hkjax.ops.pairs import masked_gram
from hkjax.ops.triples import Gram
from hkjax.training.state import OptimizerConfig, make_optimizer

FOLDER = Path(os.environ.get("HKJAX_PARITY", "../shared/parity"))
FILES = sorted(FOLDER.glob("model_*_*.npz"))

pytestmark = pytest.mark.skipif(not FILES, reason=f"parity: no model_*_*.npz in {FOLDER}; set HKJAX_PARITY")


class Case:
    """One file, with our model built from it."""

    def __init__(self, path):
        self.path, self.z = path, dict(np.load(path))
        z = self.z
        # A file computed in float32 is compared as such; the others in float64, unless cast below.
        self.dtype = z["param/all_embed"].dtype
        n_users, n_items, n_relations = (int(z[k]) for k in ("n_users", "n_items", "n_relations"))
        positives = np.column_stack([z["train_pairs"], np.ones(len(z["train_pairs"]), int)])
        test = np.column_stack([z["test_pairs"], np.ones(len(z["test_pairs"]), int)])
        data = build_dataset(positives, test, z["triples_raw"], DataConfig("kgat", ratios=(8, 2)), seed=0)
        train = Interactions(*positives.T.astype(np.int32))
        sizes = {"n_users": n_users, "n_items": n_items, "n_entities": int(z["n_entities"])}
        self.data = type(data)(**{**vars(data), **sizes, "n_relations": (n_relations - 1) // 2, "train": train})
        gates = sorted({k.split(".")[2] for k in z if k.startswith("param/gcn.convs")})
        self.config = HAKGConfig(
            **OFFICIAL,
            dim=z["param/all_embed"].shape[1],
            layers=len(gates),
            ball_eps=float(z["ball_eps"]),
            margin=float(z["margin"]),
            angle_weight=float(z["angle_loss_w"]),
            edge_keep=1.0,
            interaction_keep=1.0,
        )
        params = {
            "user": z["param/all_embed"][:n_users],
            "entity": z["param/all_embed"][n_users:],
            "item": z["param/item_emb_cf"],
            "relation": self.relations(z["param/gcn.relation_weight"], z),
        }
        for name, side in (("item_gate", 1), ("entity_gate", 2)):
            params[name] = np.stack([z[f"param/gcn.convs.{layer}.gate{side}.weight"].T for layer in gates])
        self.params = {"params": jax.tree.map(jnp.asarray, params)}
        recommender = hakg(self.config, self.data, batch_size=int(z["batch"]))
        # They divide by the degree in float32 whatever the precision of the rest.
        degree = np.ones(n_users, self.dtype)
        degree[z["interact/row"]] = 1 / z["interact/val"]
        self.recommender = recommender._replace(inputs=recommender.inputs._replace(user_degree=jnp.asarray(degree)))
        self.sizes = (*sizes.values(), self.data.n_relations)
        self.parameters = HAKG(self.config, *self.sizes).apply

    def relations(self, weight, z):
        """Their relation rows in the order of ours: (edge type - 1) of each of our relation ids."""
        n = self.data.n_relations
        order = np.zeros(2 * n, int)
        types = {(int(h), int(t), int(k)): k for h, t, k in zip(*z["edge_index"], z["edge_type"], strict=True)}
        kinds = {}
        for h, t, k in types:
            kinds.setdefault((h, t), set()).add(k)
        for relation in range(n):
            rows = z["triples_raw"][z["triples_raw"][:, 1] == relation]
            ahead = set.intersection(*(kinds[int(h), int(t)] for h, _, t in rows))
            behind = set.intersection(*(kinds[int(t), int(h)] for h, _, t in rows))
            assert len(ahead) == len(behind) == 1
            order[relation], order[relation + n] = ahead.pop() - 1, behind.pop() - 1
        return weight[order]

    @functools.cached_property
    def propagated(self):
        """Every layer before its rows are normalised, their sum, and the sum that the model itself computes."""

        def layers(params, inputs):
            p = self.parameters(params)
            raw, x = [], model.layer_0(p, inputs)
            total, whole = x, model.Sample(inputs, 1.0)
            for hop in range(self.config.layers):
                gates = tuple(gate[hop] for gate in p.gates)
                raw.append(model.layer(self.config, p.relation, gates, x, whole))
                x = model.Embeddings(*map(l2_normalize, raw[-1]))
                total = jax.tree.map(jnp.add, total, x)
            return raw, total, model.propagate(self.config, p, inputs, None)

        return jax.jit(layers)(self.params, self.recommender.inputs)


@pytest.fixture(params=FILES, ids=lambda path: path.stem, scope="module")
def case(request):
    with jax.enable_x64(True):
        yield Case(request.param)


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
    pairs = ((h, h), (t, t), (relation, relation), (h, t), (h, relation), (t, relation))
    gram = Gram(*(jnp.sum(a * b, axis=-1) for a, b in pairs))
    alpha, beta, gamma = message.official_message(gram, case.config.ball_eps)
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
    losses = contrastive_loss([cosines(user, table, z["pos"], negative) for table in tables], margin)
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
        xx, xy, yy = masked_gram(entity, apex, other, bits, jnp.arange(d)).T
        angles, apertures = cones.clipped_angle_of(xx, xy, yy), cones.half_aperture_of(xx, case.config.aperture)
        if name == "angle":
            close(angles, z["angle/angle_at_u"], case)
            close(apertures, z["angle/half_aperture"], case)
        loss = case.config.angle_weight * angle_loss(angles, apertures).mean()
        close(loss, z[f"loss/{name}"], case)


def test_parity_of_the_gradients(case):
    """Of the ranking loss, but for entities: those have the official code's detached factors in their way."""
    z, n_users, n_items = case.z, int(case.z["n_users"]), int(case.z["n_items"])

    def loss(params, inputs, users, positive, negative):
        x = model.propagate(case.config, case.parameters(params), inputs, None)
        user, tables = l2_normalize(x.user)[users], [l2_normalize(table) for table in (x.entity[:n_items], x.item)]
        of_tables = [cosines(user, table, positive, negative) for table in tables]
        return contrastive_loss(of_tables, case.config.margin).mean()

    rows = (z["users"], z["pos"], z["neg"])
    gradients = jax.jit(jax.grad(loss))(case.params, case.recommender.inputs, *rows)["params"]
    close(gradients["user"], z["grad_contrastive/all_embed"][:n_users], case)
    close(gradients["item"], z["grad_contrastive/item_emb_cf"], case)
    close(gradients["relation"], case.relations(z["grad_contrastive/gcn.relation_weight"], z), case)
    for layer in range(case.config.layers):
        for name, side in (("item_gate", 1), ("entity_gate", 2)):
            close(gradients[name][layer], z[f"grad_contrastive/gcn.convs.{layer}.gate{side}.weight"].T, case)


def messages_with_their_factors(config, relation, entity, graph):
    """The official code's gradients: none flow through the conformal factors of its exp and log maps."""
    h, t, r = entity[graph.rows], entity[graph.columns], relation[graph.attr]
    head = ball.project(ball.exp_map_zero(h, 1.0), 1.0, config.ball_eps)
    factor = jax.lax.stop_gradient(ball.conformal_factor(head, 1.0))[:, None] / 2
    tail, turned = (ball.mobius_add(head, ball.exp_map_zero(factor * x, 1.0), 1.0) for x in (t, r))
    reached = ball.project(ball.mobius_add(tail, turned, 1.0), 1.0, config.ball_eps)
    messages = ball.log_map_zero(ball.mobius_add(-head, reached, 1.0), 1.0) / factor
    count = jnp.bincount(graph.rows, length=len(entity))
    return jnp.zeros_like(entity).at[graph.rows].add(messages) / jnp.maximum(count, 1)[:, None]


def total_loss(case):
    """The loss without masks as a function of parameters, inputs and rows; and those arguments, of the file."""
    n_items, config = int(case.z["n_items"]), dataclasses.replace(case.config, angle_mask=False)

    def loss(params, inputs, users, positive, negative):
        p = case.parameters(params)
        x = model.propagate(config, p, inputs, None)
        user, tables = l2_normalize(x.user)[users], [l2_normalize(table) for table in (x.entity[:n_items], x.item)]
        of_tables = [cosines(user, table, positive, negative) for table in tables]
        ranking = contrastive_loss(of_tables, config.margin).mean()
        return ranking + config.angle_weight * cone_loss(config, p.entity, inputs.pairs, jax.random.key(0))

    rows = [jnp.asarray(case.z[name]) for name in ("users", "pos", "neg")]
    return loss, (case.params, case.recommender.inputs, *rows)


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
    monkeypatch.setattr(model, "messages", messages_with_their_factors)
    loss, (params, *args) = total_loss(case)
    optimizer = make_optimizer(OptimizerConfig(learning_rate=1e-3), steps_per_epoch=5)

    @jax.jit
    def step(params, moments, *args):
        value, gradients = jax.value_and_grad(loss)(params, *args)
        updates, moments = optimizer.update(gradients, moments, params)
        return optax.apply_updates(params, updates), moments, value, gradients

    moments, losses = optimizer.init(params), []
    for i in range(5):
        params, moments, value, gradients = step(params, moments, *args)
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
