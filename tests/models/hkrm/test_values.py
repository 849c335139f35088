"""HKRM on drawn values: where all are drawn it is HKRM, and elsewhere its sums are so in the mean."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.data.batching import get_batch
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from hkjax.models.hkrm.values import all_values, step_values
from tests.programs import every_equation

CONFIG = HKRMConfig(dim=6, sampling="neighbours", fan_out=2)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def build(data, **choices):
    config = dataclasses.replace(CONFIG, **choices)
    recommender = hkrm(config, data, batch_size=50)
    params = jax.jit(recommender.init)(jax.random.key(0))
    return config, recommender, jax.tree.map(lambda x: 4 * x, params)


def loss_and_gradient(recommender, params):
    batch = get_batch(recommender.batches, recommender.batches.buckets, 1)
    arguments = params, recommender.inputs, batch, jax.random.key(1)
    return jax.jit(jax.value_and_grad(recommender.loss, has_aux=True))(*arguments)


@pytest.mark.parametrize("choices", [{}, {"pooling": "joint", "relation": "full", "item_bias": True}], ids=str)
def test_where_all_values_are_drawn_the_loss_is_that_of_all(choices, tiny_data):
    _, whole, params = build(tiny_data, sampling="full", **choices)
    longest = int(np.bincount(np.asarray(whole.inputs.values.rows) // len(tiny_data.fields)).max())
    _, drawn, _ = build(tiny_data, fan_out=longest, **choices)
    found, expected = (loss_and_gradient(x, params) for x in (drawn, whole))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), found, expected)


def test_sums_of_drawn_values_are_those_of_all_in_the_mean(tiny_data):
    config, recommender, params = build(tiny_data)
    inputs, p = recommender.inputs, _tables(params)
    assert int(inputs.values_by_item.length.max()) > config.fan_out
    items = jnp.arange(tiny_data.n_items)
    keys = jax.random.split(jax.random.key(2), 4000)
    estimates = jax.jit(jax.vmap(lambda key: step_values(config, p, inputs, key)[0].of_items(items)))(keys)
    truth = all_values(p, inputs).of_items(items)
    error = np.abs(estimates.mean(0) - truth) / (np.asarray(estimates).std(0) / np.sqrt(len(keys)) + 1e-9)
    assert error.max() < 5
    few = np.asarray(inputs.values_by_item.length) <= config.fan_out
    assert few.any()
    np.testing.assert_allclose(estimates[0][few], truth[few], rtol=1e-12, atol=1e-12)


def test_of_no_values_all_sums_are_0(tiny_data):
    choices = ({"sampling": "full"}, {})
    bare = dataclasses.replace(tiny_data, triples=tiny_data.triples[:0])
    built = [build(bare, **c)[1:] for c in choices]
    found, expected = (loss_and_gradient(recommender, built[0][1]) for recommender, _ in built)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), found, expected)


def test_a_step_visits_no_values_but_those_drawn(tiny_data):
    def sums(recommender):
        batch = get_batch(recommender.batches, recommender.batches.buckets, 1)
        params = jax.eval_shape(recommender.init, jax.random.key(0))
        traced = jax.make_jaxpr(recommender.loss)(params, recommender.inputs, batch, jax.random.key(1))
        names = [str(equation.primitive) for equation in every_equation(traced.jaxpr)]
        return sum(name.startswith("sparse_by") for name in names)

    whole, drawn = (build(tiny_data, sampling=sampling)[1] for sampling in ("full", "neighbours"))
    assert sums(whole) > 0
    assert sums(drawn) == 0


def _tables(params):
    """What `all_values` and `step_values` read of the parameters."""
    return type("Tables", (), {"entity": params["params"]["entity"]})
