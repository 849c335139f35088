"""HAKG on drawn neighbours: where all are drawn it is HAKG, and elsewhere a layer is so in the mean."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.data.dataset import Dataset, Interactions, Names, no_interactions
from hkjax.errors import InputError
from hkjax.geometry import poincare
from hkjax.models.hakg import sampled
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.models.hakg.inputs import KeptEdges, make_inputs
from hkjax.models.hakg.losses import cone_loss
from hkjax.models.hakg.model import hakg
from hkjax.models.hakg.parameters import HAKG
from hkjax.models.hakg.propagation import Embeddings, layer, propagate
from tests.programs import every_equation

CONFIG = HAKGConfig(dim=6, layers=2, negatives=50, sampling="neighbours", fan_outs=(3, 2), negative_pool=50)
VARIANTS = {
    "default": {},
    "official": {**OFFICIAL, "message_dropout": 0.0},
    "euclidean without dual items": {"message": "euclidean", "dual_items": False},
    "without gate": {"gate": False, "layers": 1, "fan_outs": (2,)},
}


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def one_to_one(n):
    """User k met item k alone, which has an attribute of its own."""
    numbers = np.arange(n)
    train = Interactions(numbers, numbers, np.ones(n, int))
    triples = np.column_stack([numbers, numbers % 2, n + numbers])
    ids = [str(number) for number in range(2 * n)]
    names = Names(ids[:n], ids[:n], ids, ids[:2], ids)
    return Dataset(n, n, 2 * n, 2, train, no_interactions(), no_interactions(), triples, names, {})


def parameters(config, data):
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)
    # Far enough from 0 that the message is no sum.
    params = jax.tree.map(lambda x: 4 * x, jax.jit(module.init)(jax.random.key(0)))
    return module.apply(params)


@pytest.mark.parametrize("name", VARIANTS)
def test_where_all_neighbours_are_drawn_walks_see_what_the_whole_graph_says(name, tiny_data):
    config = dataclasses.replace(CONFIG, **VARIANTS[name], edge_keep=1.0, interaction_keep=1.0)
    inputs, p = make_inputs(config, tiny_data), parameters(config, tiny_data)
    longest = max(int(of_nodes.length.max()) for of_nodes in (*inputs.neighbourhoods, inputs.exclusions))
    whole, fan_outs = propagate(config, p, inputs, None), [longest] * config.layers
    walks, nodes = sampled.Walks(config, p, inputs), jnp.array([3, 0, 3, 14])
    attributes = tiny_data.n_items + jnp.array([2, 0, 2, 5])

    @jax.jit
    def totals(key):
        walked = (
            walks.users(key, nodes, fan_outs),
            *walks.items(key, nodes, fan_outs),
            walks.entities(key, attributes, fan_outs),
        )
        return [sampled.sum_layers(layers) for layers in walked]

    user, entity, item, attribute = totals(jax.random.key(1))
    for found, expected in ((user, whole.user), (entity, whole.entity), (item, whole.item)):
        assert (found is None) == (expected is None)
        if found is not None:
            np.testing.assert_allclose(found, expected[nodes], rtol=1e-9)
    np.testing.assert_allclose(attribute, whole.entity[attributes], rtol=1e-9)


@pytest.mark.parametrize("aggregation", ["mean", "sum"])
def test_a_layer_is_unbiased(aggregation, tiny_data):
    config = dataclasses.replace(CONFIG, layers=1, fan_outs=(2,), item_aggregation=aggregation, edge_keep=1.0)
    inputs, p = make_inputs(config, tiny_data), parameters(config, tiny_data)
    gates = jax.tree.map(lambda w: w[0], p.gates)
    of_all = jax.jit(lambda x, inputs: layer(config, p.relation, gates, x, KeptEdges(inputs, 1.0)))
    whole = of_all(Embeddings(p.user, p.entity, p.item), inputs)
    walks, n = sampled.Walks(config, p, inputs), 4000

    def layer_1(key):
        entity, item = walks.items(key, jnp.arange(tiny_data.n_items), (2,))
        return Embeddings(walks.users(key, jnp.arange(tiny_data.n_users), (2,))[1], entity[1], item[1])

    draws = jax.jit(jax.vmap(layer_1))(jax.random.split(jax.random.key(0), n))
    for found, expected in zip(draws, (whole.user, whole.entity[: tiny_data.n_items], whole.item), strict=True):
        # To six standard errors; where all neighbours are one, there is none.
        error = np.abs(found.mean(0) - expected) - 6 * found.std(0) / n**0.5
        assert error.max() < 1e-12


def test_the_loss_of_a_row_counts_no_item_that_its_user_met():
    config = dataclasses.replace(CONFIG, layers=1, fan_outs=(2,), margin=-1.0, edge_keep=1.0, interaction_keep=1.0)
    data = one_to_one(2)
    inputs, p = make_inputs(config, data), parameters(config, data)
    whole = propagate(config, p, inputs, None)
    user, entity, item = (x[:2] / jnp.linalg.norm(x[:2], axis=1, keepdims=True) for x in whole)
    batch = {"user": jnp.array([0]), "item": jnp.array([0]), "weight": jnp.ones(1)}
    walks = sampled.Walks(config, p, inputs)
    found = jax.jit(lambda key: sampled.ranking_loss(config, walks, batch, key))(jax.random.key(0))
    positive, negative = (user[0] @ entity[k] + user[0] @ item[k] for k in (0, 1))
    np.testing.assert_allclose(found, 2 - positive + 2 + negative, rtol=1e-5)


@pytest.mark.parametrize("choices", [{}, {"angle_space": "parameter", "angle": "clipped", "angle_pairs": "both"}])
def test_the_angle_loss_of_all_pairs_is_the_mean_of_draws(choices, tiny_data):
    config = dataclasses.replace(CONFIG, **choices)
    inputs, p = make_inputs(config, tiny_data), parameters(config, tiny_data)
    points = poincare.exp_map_zero(p.entity, 1.0) if config.angle_space == "ball" else p.entity
    expected = jax.jit(partial(cone_loss, config))(points, inputs.pairs, jax.random.key(0))
    angle_loss = jax.jit(lambda key: sampled.angle_loss(config, p, inputs, 2000, key))
    found = [angle_loss(jax.random.key(k)) for k in range(5)]
    assert abs(np.mean(found) - expected) < 6 * np.std(found) / 5**0.5 + 1e-3


def test_what_a_step_computes_does_not_grow_with_the_graph(tiny_data):
    # Not a number more for a graph of a hundred times the edges: the arrays between inputs and gradients are the same.
    sizes = []
    for copies in (1, 100):
        data = dataclasses.replace(tiny_data, triples=np.tile(tiny_data.triples, (copies, 1)))
        model = hakg(CONFIG, data, batch_size=8)
        batch = {"user": jnp.zeros(8, int), "item": jnp.zeros(8, int), "weight": jnp.ones(8)}
        gradient = jax.grad(model.loss, has_aux=True)
        args = (jax.eval_shape(model.init, jax.random.key(0)), model.inputs, batch, jax.random.key(1))
        outputs = [x.aval for e in every_equation(jax.make_jaxpr(gradient)(*args).jaxpr) for x in e.outvars]
        sizes.append([x.size for x in outputs if hasattr(x, "size")])
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("fan_outs", [(), (3,), (3, 0), (3, 2, 1)])
def test_there_is_one_fan_out_for_each_layer(fan_outs, tiny_data):
    with pytest.raises(InputError, match="fan_outs: expected 2 counts of at least 1"):
        hakg(dataclasses.replace(CONFIG, fan_outs=fan_outs), tiny_data, batch_size=8)
