"""The promises of a Recommender, the same for every model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.data.sampling import shuffle, take
from hkjax.models.baselines import balance_and_popularity, popularity
from hkjax.models.hakg import OFFICIAL, HAKGConfig, hakg
from hkjax.models.hkrm import HKRMConfig, hkrm
from hkjax.models.lightgcn import LightGCNConfig, lightgcn

SMALL = {"dim": 8, "layers": 2, "negatives": 5}

MODELS = {
    "hkrm": lambda data: hkrm(HKRMConfig(dim=8), data, batch_size=32),
    "hkrm with item bias": lambda data: hkrm(HKRMConfig(dim=8, item_bias=True), data, batch_size=32),
    "hakg": lambda data: hakg(HAKGConfig(**SMALL), data, batch_size=32),
    "hakg, official": lambda data: hakg(HAKGConfig(**SMALL, **OFFICIAL), data, batch_size=32),
    "hakg without dual items": lambda data: hakg(HAKGConfig(**SMALL, dual_items=False), data, batch_size=32),
    "hakg without gate, euclidean": lambda data: hakg(
        HAKGConfig(**SMALL, gate=False, message="euclidean"), data, batch_size=32
    ),
    "lightgcn": lambda data: lightgcn(LightGCNConfig(dim=8, layers=2), data, batch_size=32),
    "bpr-mf": lambda data: lightgcn(LightGCNConfig(dim=8, layers=0), data, batch_size=32),
    "popularity": popularity,
    "balance and popularity": balance_and_popularity,
}


@pytest.fixture(params=MODELS, scope="module")
def recommender(request, tiny_data):
    return MODELS[request.param](tiny_data)


@pytest.fixture(scope="module")
def params(recommender):
    return jax.jit(recommender.init)(jax.random.key(0))


def a_batch(recommender, step=0):
    order = shuffle(recommender.batches, jax.random.key(1))
    return take(recommender.batches, order, step)


def test_init_depends_on_the_key_alone(recommender, params):
    again = jax.jit(recommender.init)(jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, params, again)


def test_loss_and_gradients_are_finite(recommender, params):
    batch, key = a_batch(recommender), jax.random.key(0)
    (value, metrics), gradients = jax.jit(jax.value_and_grad(recommender.loss, has_aux=True))(
        params, recommender.inputs, batch, key
    )
    assert value.shape == ()
    assert "loss" in metrics
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((value, metrics, gradients)))


def test_loss_is_a_function_of_its_arguments(recommender, params):
    batch, key, loss = a_batch(recommender), jax.random.key(3), jax.jit(recommender.loss)
    first, again = (loss(params, recommender.inputs, batch, key)[0] for _ in range(2))
    assert first == again


def test_padding_changes_nothing(recommender, params):
    batch, key = a_batch(recommender), jax.random.key(0)
    batch = {**batch, "weight": batch["weight"].at[0].set(0)}
    changes = {"item": 0, "label": 1 - batch.get("label", jnp.zeros(1, int))[0]}
    other = {k: v.at[0].set(changes[k]) if k in changes else v for k, v in batch.items()}
    loss = jax.jit(recommender.loss)
    values = [loss(params, recommender.inputs, b, key)[0] for b in (batch, other)]
    np.testing.assert_allclose(*values, rtol=1e-6)


def test_steps_of_an_epoch_share_one_trace(recommender, params):
    loss = jax.jit(recommender.loss)
    for step in range(min(3, recommender.batches.steps_per_epoch)):
        loss(params, recommender.inputs, a_batch(recommender, step), jax.random.key(step))
    assert loss._cache_size() == 1


def test_ranking_and_scoring_agree(recommender, params, tiny_data):
    representation = jax.jit(recommender.encode)(params, recommender.inputs)
    users = jnp.array([0, 5, 5, 39])
    table = recommender.rank_scores(representation, users)
    assert table.shape == (4, tiny_data.n_items)
    for item in (0, 7, tiny_data.n_items - 1):
        scores = recommender.score(representation, users, jnp.full(4, item))
        np.testing.assert_allclose(table[:, item], scores, rtol=1e-5, atol=1e-6)


def test_no_array_of_the_data_is_a_constant_of_the_program(recommender, params):
    batch, key = a_batch(recommender), jax.random.key(0)
    jaxpr = jax.make_jaxpr(recommender.loss)(params, recommender.inputs, batch, key)
    assert all(np.size(constant) <= 1 for constant in jaxpr.consts)
