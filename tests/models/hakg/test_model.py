"""HAKG by its equations, edge by edge, and what it must not depend on."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hkjax.errors import InputError
from hkjax.geometry import cones
from hkjax.geometry import poincare as ball
from hkjax.models.hakg import propagation
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import make_inputs, subsample
from hkjax.models.hakg.losses import cone_loss
from hkjax.models.hakg.model import hakg
from hkjax.models.hakg.parameters import HAKG
from tests.reference.hakg import propagate_by_hand

seeds, few = st.integers(0, 2**32 - 1), settings(max_examples=20)
CONFIG = HAKGConfig(dim=6, layers=2, negatives=5)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def encode(tiny_data):
    """(params, data) -> representation, compiled once for graphs of one size; and parameters."""
    with jax.enable_x64(True):
        recommender = hakg(CONFIG, tiny_data, batch_size=32)
        compiled = jax.jit(recommender.encode)
        params = jax.jit(recommender.init)(jax.random.key(0))
    return params, lambda params, data: compiled(params, make_inputs(CONFIG, data))


def module(config, data):
    return HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)


VARIANTS = {
    "default": {},
    "euclidean without dual items": {"message": "euclidean", "dual_items": False},
    "without gate, sum of users": {"gate": False, "item_aggregation": "sum", "score": "cosine_of_sum"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_scores_are_those_of_the_equations_edge_by_edge(name, tiny_data):
    config = dataclasses.replace(CONFIG, **VARIANTS[name])
    model = hakg(config, tiny_data, batch_size=32)
    # Far enough from 0 that the message is no sum.
    params = jax.tree.map(lambda x: 4 * x, jax.jit(model.init)(jax.random.key(0)))
    user, entity, item = propagate_by_hand(config, tiny_data, params, model.inputs)
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (user, entity, item)]
    both = entity[: tiny_data.n_items] + item
    expected = {
        "sum_of_cosines": unit[0] @ (unit[1][: tiny_data.n_items] + config.dual_items * unit[2]).T,
        "cosine_of_sum": unit[0] @ (both / np.linalg.norm(both, axis=1, keepdims=True)).T,
    }
    scores = model.score_all_items(jax.jit(model.encode)(params, model.inputs), jnp.arange(tiny_data.n_users))
    np.testing.assert_allclose(scores, expected[config.score], rtol=1e-9, atol=1e-12)


def test_a_sample_keeps_edges_whole_and_each_step_scales_interactions_up(tiny_data, monkeypatch):
    config = dataclasses.replace(CONFIG, edge_keep=0.4, interaction_keep=0.7)
    model = hakg(config, tiny_data, batch_size=32)
    sample = jax.jit(partial(subsample, config))(model.inputs, jax.random.key(3))
    n_edges, n_positives = model.inputs.graph.rows.size, model.inputs.interactions.rows.size
    assert sample.inputs.graph.rows.size == round(0.4 * n_edges)
    assert sample.inputs.interactions.rows.size == round(0.7 * n_positives)
    assert sample.scale == n_positives / round(0.7 * n_positives)
    whole, kept = (
        list(zip(x.graph.rows.tolist(), x.graph.attr.tolist(), x.graph.columns.tolist(), strict=True))
        for x in (model.inputs, sample.inputs)
    )
    assert set(kept) <= set(whole)
    assert len(set(kept)) == len(kept)
    params = jax.tree.map(lambda x: 4 * x, jax.jit(model.init)(jax.random.key(0)))
    monkeypatch.setattr(propagation, "subsample", lambda *args: sample)
    propagate = jax.jit(partial(propagation.propagate, config))
    found = propagate(module(config, tiny_data).apply(params), model.inputs, jax.random.key(0))
    for ours, expected in zip(found, propagate_by_hand(config, tiny_data, params, sample.inputs), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("pairs", "space"), [("attribute_apex", "ball"), ("both", "parameter")])
def test_the_angle_loss_is_that_of_items_in_the_cones_of_their_attributes(pairs, space, tiny_data):
    config = dataclasses.replace(CONFIG, angle_pairs=pairs, angle_space=space)
    model = hakg(config, tiny_data, batch_size=32)
    params = jax.tree.map(lambda x: 2 * x, jax.jit(model.init)(jax.random.key(0)))
    x = params["params"]["entity"]
    x = ball.exp_map_zero(x, 1.0) if space == "ball" else x
    n, losses = tiny_data.n_items, []
    for h, _, t in tiny_data.triples:
        for apex, other in ((h, t), (t, h)):
            if (apex >= n and other < n) or (pairs == "both" and apex < n <= other):
                angle = cones.angle_at_apex(x[apex], x[other], 1.0) - cones.half_aperture(x[apex], config.aperture, 1.0)
                losses.append(max(float(angle), 0))
    found = jax.jit(partial(cone_loss, config))(x, model.inputs.pairs, jax.random.key(0))
    np.testing.assert_allclose(found, np.mean(losses), rtol=1e-9)


@given(seeds)
@few
def test_the_order_of_edges_does_not_matter(encode, tiny_data, seed):
    params, of = encode
    order = np.random.default_rng(seed).permutation(len(tiny_data.triples))
    whole, shuffled = (
        of(params, dataclasses.replace(tiny_data, triples=t)) for t in (tiny_data.triples, tiny_data.triples[order])
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), whole, shuffled)


@given(seeds)
@few
def test_relabelled_attributes_lead_to_the_same_items(encode, tiny_data, seed):
    params, of = encode
    n_items, n_entities = tiny_data.n_items, tiny_data.n_entities
    number = np.arange(n_entities)
    number[n_items:] = n_items + np.random.default_rng(seed).permutation(n_entities - n_items)
    triples = tiny_data.triples.copy()
    triples[:, [0, 2]] = number[triples[:, [0, 2]]]
    moved = jnp.zeros_like(params["params"]["entity"]).at[number].set(params["params"]["entity"])
    whole = of(params, tiny_data)
    other = of({"params": {**params["params"], "entity": moved}}, dataclasses.replace(tiny_data, triples=triples))
    np.testing.assert_allclose(whole.item, other.item, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(whole.user, other.user, rtol=1e-10, atol=1e-12)


def test_a_graph_without_triples_is_refused(tiny_data):
    with pytest.raises(InputError, match="HAKG needs a knowledge graph"):
        hakg(CONFIG, dataclasses.replace(tiny_data, triples=np.zeros((0, 3), int)), batch_size=32)
