"""Users by their histories alone: trained ones are what `encode` makes of them, and contributions are derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hakg.parameters import HAKG
from hkjax.models.hakg.propagation import propagate
from hkjax.ops.sampling import make_histories
from tests import zoo

EXACT = [
    name
    for name in zoo.MODELS
    if name not in ("popularity", "balance and popularity", "link with a learned part", *zoo.SOLVED)
]
EXACT.remove("hkrm joint, full, per interaction, with bias")  # New interactions have no weight of their own.


def folded(model, data, params, ids, extra=0):
    """Prepared, representation, and the padded histories of all users; `extra` items are padding."""
    positives = data.train.positives()
    histories = make_histories(positives.users, positives.items, data.n_users)
    m = int(histories.length.max()) + extra
    weights = (jnp.arange(m) < histories.length[:, None]).astype(jnp.float64)
    items = histories.values[jnp.minimum(histories.start[:, None] + jnp.arange(m), histories.values.size - 1)]
    prepared = jax.jit(model.fold_in.prepare)(params, model.inputs)
    return prepared, jax.jit(model.encode)(params, model.inputs), items, weights


@pytest.mark.parametrize("name", EXACT)
def test_trained_users_fold_in_to_what_they_are(name, tiny_data):
    with jax.enable_x64(True):
        model = zoo.MODELS[name](tiny_data)
        params = jax.tree.map(lambda x: x.astype(jnp.float64), jax.jit(model.init)(jax.random.key(0)))
        ids = jnp.arange(tiny_data.n_users)
        prepared, representation, items, weights = folded(model, tiny_data, params, ids, extra=2)
        found = jax.jit(model.fold_in.encode_users)(prepared, representation, items, weights, ids)
        # Degrees and histories are in float32 whatever the precision.
        tolerance = {"rtol": 1e-6, "atol": 1e-8} if name in ("lightgcn", "multvae") else {"rtol": 1e-9, "atol": 1e-12}
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance, err_msg=name), found, representation)


@pytest.mark.parametrize("name", [*zoo.SOLVED, "link with a learned part"])
def test_solved_models_score_a_trained_users_history_as_they_score_the_user(name, tiny_data):
    model = zoo.MODELS[name](tiny_data)
    params = model.solve(model.init(jax.random.key(0)), model.inputs)
    ids = jnp.arange(tiny_data.n_users)
    prepared, representation, items, weights = folded(model, tiny_data, params, ids, extra=2)
    found = model.fold_in.encode_users(prepared, representation, items, weights.astype(jnp.float32), ids)
    score = jax.jit(model.score_all_items)
    np.testing.assert_allclose(score(found, ids), score(representation, ids), rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", zoo.ONE_OF_EACH)
def test_new_users_are_functions_of_their_histories(name, tiny_data):
    with jax.enable_x64(True):
        model = zoo.MODELS[name](tiny_data)
        params = jax.tree.map(lambda x: x.astype(jnp.float64), jax.jit(model.init)(jax.random.key(0)))
        prepared, representation, *_ = folded(model, tiny_data, params, None)

        @jax.jit
        def score(items, weights):
            users = model.fold_in.encode_users(prepared, representation, items, weights, None)
            return model.score_pairs(users, jnp.zeros(1, int), jnp.array([7]))[0]

        items, weights = jnp.array([[3, 5, 9, 0]]), jnp.array([[1.0, 1, 1, 0]])
        shuffled = score(jnp.array([[9, 1, 3, 5]]), jnp.array([[1.0, 0, 1, 1]]))
        np.testing.assert_allclose(score(items, weights), shuffled, rtol=1e-9)
        gradient = jax.grad(score, 1)(items, weights)[0, :3]
        for k, slope in enumerate(gradient):
            up, down = (score(items, weights.at[0, k].add(h)) for h in (1e-6, -1e-6))
            np.testing.assert_allclose(slope, (up - down) / 2e-6, rtol=1e-5, atol=1e-9)
        assert np.isfinite(score(items, jnp.zeros((1, 4))))


@pytest.mark.parametrize("choices", [{}, OFFICIAL, {"dual_items": False, "normalize_layers": True}])
def test_the_edges_of_an_item_carry_what_the_graph_adds_to_it(choices, tiny_data):
    config = HAKGConfig(**zoo.SMALL, **choices)
    with jax.enable_x64(True):
        model = hakg(config, tiny_data, batch_size=32)
        params = jax.tree.map(lambda x: x.astype(jnp.float64), jax.jit(model.init)(jax.random.key(0)))
        prepared, representation, *_ = folded(model, tiny_data, params, None)
        item, graph = 4, model.inputs.graph
        edges = jnp.flatnonzero(graph.rows == item)
        relations, entities = graph.attr[edges][None], graph.columns[edges][None]
        users, items = jnp.array([2]), jnp.array([item])
        attributes = jax.jit(model.fold_in.score_attributes)
        carried = attributes(prepared, representation, users, items, relations, entities)
        module = HAKG(config, *(getattr(tiny_data, f"n_{x}") for x in ("users", "items", "entities", "relations")))
        p = module.apply(params)
        everything = jax.jit(lambda p, inputs: propagate(config, p, inputs, None))(p, model.inputs)
        later = (everything.entity - p.entity)[item]
        np.testing.assert_allclose(carried.sum(), later @ representation.user[2] / prepared.norm[item], rtol=1e-9)


@pytest.mark.parametrize("choices", [{}, OFFICIAL])
def test_the_users_of_an_item_carry_what_collaboration_adds_to_it(choices, tiny_data):
    config, user, item = HAKGConfig(**zoo.SMALL, **choices), 2, 4
    with jax.enable_x64(True):
        model = hakg(config, tiny_data, batch_size=32)
        params = jax.tree.map(lambda x: x.astype(jnp.float64), jax.jit(model.init)(jax.random.key(0)))
        representation = jax.jit(model.encode)(params, model.inputs)
        carried = jax.jit(model.fold_in.score_co_users)(params, model.inputs, representation, user, item)
        module = HAKG(config, *(getattr(tiny_data, f"n_{x}") for x in ("users", "items", "entities", "relations")))
        p = module.apply(params)
        x = jax.jit(lambda p, inputs: propagate(config, p, inputs, None))(p, model.inputs)
        scored = x.item[item] + (x.entity[item] if config.score == "cosine_of_sum" else 0)
        expected = (x.item - p.item)[item] @ representation.user[user] / jnp.linalg.norm(scored)
        np.testing.assert_allclose(carried.sum(), expected, rtol=1e-9)
        met = tiny_data.train.positives()
        assert {*np.flatnonzero(carried)} == {*met.users[met.items == item]}
