"""LINK against its equations, and the terms of its scores."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.errors import InputError
from hkjax.models.linear import equations as linear
from hkjax.models.link import equations
from hkjax.models.link.config import LINKConfig
from hkjax.models.link.content import make_content
from hkjax.models.link.model import link
from hkjax.models.link.space import content_relations, link_space
from hkjax.serving.reasons import explain_pairs
from hkjax.serving.terms import score_terms
from hkjax.serving.trained import load_model, user_histories

CONFIG = LINKConfig(
    neighbours=25, shrinkage=2.0, content={"0": 0.3, "2": 0.2, "1/1": 0.1}, popularity=0.05, cold_content=1.5
)


def solved(config, data):
    model = link(config, data)
    return model, model.solve(model.init(jax.random.key(0)), model.inputs)


def attributes(data, name):
    """Which entities items reach by a relation in either direction, or by a path, as a dense matrix."""
    reached = np.eye(data.n_items, data.n_entities)
    for part in name.split("/"):
        step = np.zeros((data.n_entities, data.n_entities))
        head, _, tail = data.triples[data.triples[:, 1] == int(part)].T
        step[head, tail] = step[tail, head] = 1
        reached = (reached @ step > 0).astype(float)
    return reached


def test_scores_are_those_of_the_equations(tiny_data):
    positives = tiny_data.train.positives()
    x = np.zeros((tiny_data.n_users, tiny_data.n_items))
    x[positives.users, positives.items] = 1
    d = x.sum(0)
    g = linear.co_occurrence(jnp.asarray(x), CONFIG.user_power)
    weights = linear.knn_weight(g, d[:, None], d[None], CONFIG.alpha, CONFIG.shrinkage)
    weights = weights - jnp.diag(jnp.diag(weights))
    content = jnp.zeros_like(weights)
    for name, weight in CONFIG.content.items():
        rows = equations.attribute_rows(jnp.asarray(attributes(tiny_data, name)))
        content += weight * equations.attribute_cosines(rows)
    known = jnp.where(d[:, None] > 0, content, 0)
    assert (d == 0).any()
    for j in np.flatnonzero(d == 0):
        weights = weights.at[:, j].set(equations.borrowed(weights, known[:, j], CONFIG.cold_neighbours))
        content = content.at[:, j].multiply(CONFIG.cold_content)
        d[j] = equations.borrowed(jnp.asarray(d)[None], known[:, j], CONFIG.cold_neighbours)[0]
    weights += content
    model, params = solved(CONFIG, tiny_data)
    representation = jax.jit(model.encode)(params, model.inputs)
    users = jnp.arange(tiny_data.n_users)
    expected = jax.vmap(equations.score, (0, None, None, None))(jnp.asarray(x), weights, d, CONFIG.popularity)
    found = jax.jit(model.score_all_items)(representation, users)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_part_of_weight_zero_is_left_out(tiny_data):
    config = LINKConfig(co_occurrence=0.0, popularity=1.0)
    model, params = solved(config, tiny_data)
    scores = model.score_all_items(jax.jit(model.encode)(params, model.inputs), jnp.arange(3))
    counts = np.bincount(tiny_data.train.positives().items, minlength=tiny_data.n_items)
    np.testing.assert_array_equal(scores, np.tile(counts, (3, 1)))


def test_terms_add_up_and_deleting_an_item_takes_its_own_away(tiny_data):
    model, params = solved(dataclasses.replace(CONFIG, regression=0.5, candidates=6), tiny_data)
    trained = load_model(tiny_data, model, params)
    history = user_histories(tiny_data)[5]
    assert len(history) > 2
    prepared = model.fold_in.prepare(params, model.inputs)

    def score(items, target):
        weights = jnp.ones((1, len(items)))
        x = model.fold_in.encode_users(prepared, trained.representation, jnp.asarray(items)[None], weights, None)
        return float(model.score_pairs(x, jnp.zeros(1, int), jnp.array([target]))[0])

    for target in range(0, tiny_data.n_items, 5):
        terms = score_terms(trained, target, history)
        total = score(history, target)
        np.testing.assert_allclose(sum(term.contribution for term in terms), total, rtol=1e-5, atol=1e-6)
        for deleted in history[:2]:
            own = sum(term.contribution for term in terms if term.item == deleted)
            without = score(history[history != deleted], target)
            np.testing.assert_allclose(total - without, own, rtol=1e-4, atol=1e-6)
        assert {term.part for term in terms if term.item is None} <= {"popularity"}


def test_facts_add_up_to_what_the_relations_bring(tiny_data):
    config = LINKConfig(content={"0": 0.3, "2": 0.2})
    model, params = solved(config, tiny_data)
    trained = load_model(tiny_data, model, params)
    n, triples = tiny_data.n_relations, tiny_data.triples
    user = 5
    for item in range(0, tiny_data.n_items, 6):
        _, relations, entities = triples[(triples[:, 0] == item) & np.isin(triples[:, 1], (0, 2))].T
        if not len(relations):
            continue
        users, items = jnp.array([user]), jnp.array([item])
        facts = model.fold_in.score_attributes(
            None, trained.representation, users, items, jnp.asarray(relations)[None], jnp.asarray(entities)[None]
        )
        parts = model.fold_in.score_parts(None, trained.representation, users, items)
        np.testing.assert_allclose(facts.sum(), parts["0"][0] + parts["2"][0], rtol=1e-4, atol=1e-6)
    assert n == len(tiny_data.names.relations)
    (reason,) = explain_pairs(trained, np.array([user]), np.array([3]), [user_histories(tiny_data)[user]])
    assert reason.sentence


def test_an_unknown_relation_is_named(tiny_data):
    with pytest.raises(InputError, match=r"model\.content: unknown relation 'nought'"):
        make_content(tiny_data, ["nought"])


def test_the_space_names_the_relations_that_items_share(tiny_data):
    names = content_relations(tiny_data)
    assert set(names) <= set(tiny_data.names.relations)
    assert {f"content.{name}" for name in names} <= set(link_space(LINKConfig(), tiny_data))
    assert link_space(LINKConfig(content={"1": 0.0}), tiny_data).keys() & {"content.0", "content.1"} == {"content.1"}
