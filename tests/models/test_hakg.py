"""What HAKG must not depend on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.errors import InputError
from hkjax.models.hakg import hakg
from hkjax.models.hakg_config import HAKGConfig

CONFIG = HAKGConfig(dim=6, layers=2, negatives=5)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def encoded(data, params=None):
    recommender = hakg(CONFIG, data, batch_size=32)
    params = recommender.init(jax.random.key(0)) if params is None else params
    return params, jax.jit(recommender.encode)(params, recommender.inputs)


def test_the_order_of_edges_does_not_matter(tiny_data):
    order = np.random.default_rng(0).permutation(len(tiny_data.triples))
    params, whole = encoded(tiny_data)
    _, shuffled = encoded(dataclasses.replace(tiny_data, triples=tiny_data.triples[order]), params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), whole, shuffled)


def test_relabelled_attributes_lead_to_the_same_items(tiny_data):
    n_items, n_entities = tiny_data.n_items, tiny_data.n_entities
    number = np.arange(n_entities)
    number[n_items:] = n_items + np.random.default_rng(0).permutation(n_entities - n_items)
    triples = tiny_data.triples.copy()
    triples[:, [0, 2]] = number[triples[:, [0, 2]]]
    params, whole = encoded(tiny_data)
    moved = jnp.zeros_like(params["params"]["entity"]).at[number].set(params["params"]["entity"])
    other = {"params": {**params["params"], "entity": moved}}
    _, relabelled = encoded(dataclasses.replace(tiny_data, triples=triples), other)
    np.testing.assert_allclose(whole.item, relabelled.item, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(whole.user, relabelled.user, rtol=1e-10, atol=1e-12)


def test_a_graph_without_triples_is_refused(tiny_data):
    with pytest.raises(InputError, match="kg_final has no triple"):
        hakg(CONFIG, dataclasses.replace(tiny_data, triples=np.zeros((0, 3), int)), batch_size=32)
