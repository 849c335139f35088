"""What HAKG must not depend on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hkjax.errors import InputError
from hkjax.models.hakg import hakg
from hkjax.models.hakg_config import HAKGConfig
from hkjax.models.hakg_inputs import make_inputs

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
        params = recommender.init(jax.random.key(0))
    return params, lambda params, data: compiled(params, make_inputs(CONFIG, data))


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
    with pytest.raises(InputError, match="kg_final has no triple"):
        hakg(CONFIG, dataclasses.replace(tiny_data, triples=np.zeros((0, 3), int)), batch_size=32)
