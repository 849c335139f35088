"""Propagation against its layers, one after the other."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import make_inputs, subsample
from hkjax.models.hakg.parameters import HAKG
from hkjax.models.hakg.propagation import dropout_and_normalize, layer, layer_0, propagate
from hkjax.ops.lowerings import blocks


def propagation_of(data, **choices):
    """The configuration, parameters, some of them far from 0, and inputs."""
    config = HAKGConfig(dim=6, negatives=5, message="euclidean", normalize_layers=True, message_dropout=0.3, **choices)
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)
    params = jax.tree.map(lambda x: 4 * x, jax.jit(module.init)(jax.random.key(0)))
    return config, module.apply(params), make_inputs(config, data)


@pytest.mark.parametrize(
    "choices",
    [
        {"layers": 2, "gate": False, "item_aggregation": "sum"},
        {"layers": 3},
        {"layers": 3, "dual_items": False},
    ],
)
def test_it_is_the_sum_of_the_layers_one_after_the_other(choices, tiny_data):
    config, p, inputs = propagation_of(tiny_data, **choices)
    key = jax.random.key(1)

    def one_after_the_other(p, inputs):
        sample_key, *layer_keys = jax.random.split(key, config.layers + 1)
        kept = subsample(config, inputs, sample_key)
        total = x = layer_0(p)
        for hop, of_layer in enumerate(layer_keys):
            y = layer(config, p.relation, jax.tree.map(lambda w, hop=hop: w[hop], p.gates), x, kept)
            keys = jax.random.split(of_layer, 3)
            x = y._make(
                None if table is None else dropout_and_normalize(config, table, key)
                for table, key in zip(y, keys, strict=True)
            )
            total = jax.tree.map(jnp.add, total, x)
        return total

    expected = jax.jit(one_after_the_other)(p, inputs)
    found = jax.jit(partial(propagate, config))(p, inputs, key)
    assert (found.item is None) == (not config.dual_items)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found, expected)


@pytest.mark.parametrize("platform", ["cpu", "tpu", "cuda"])
def test_evaluation_takes_edges_in_blocks(platform, tiny_data, monkeypatch):
    config, p, inputs = propagation_of(tiny_data)
    n = inputs.graph.rows.size
    for size in ("SIZE", "LARGE_SIZE"):
        monkeypatch.setattr(blocks, size, 32)

    def most_rows(key):
        traced = jax.jit(lambda p, inputs: propagate(config, p, inputs, key)).trace(p, inputs)
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        return max(int(rows) for rows in re.findall(rf"tensor<(\d+)x{config.dim}xf32>", text))

    assert n > tiny_data.n_entities > 32
    assert most_rows(None) == tiny_data.n_entities
    if platform != "cpu":  # Where rows are gathered sooner than numbers, training holds those of the edges it kept.
        assert most_rows(jax.random.key(0)) == round(config.edge_keep * n)
