"""HKRM against a reading of its equations row by row in NumPy, and its laws."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from hkjax.data.batching import get_batch, ragged_layout
from hkjax.errors import InputError
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from tests.models.hkrm.variants import VARIANTS, random_params
from tests.reference.hkrm import HKRMByHand


def config(**choices):
    return HKRMConfig(**{"dim": 6, "l2": 1e-3, **choices})


@pytest.mark.parametrize("choices", VARIANTS, ids=str)
def test_loss_and_scores_are_those_of_the_equations(tiny_data, choices):
    choices = config(**choices)
    with jax.enable_x64(True):
        recommender = hkrm(choices, tiny_data, batch_size=50)
        params = random_params(recommender)
        oracle = HKRMByHand(choices, tiny_data, params)
        batches = recommender.batches
        batch = get_batch(batches, batches.buckets, 1)
        value, metrics = jax.jit(recommender.loss)(params, recommender.inputs, batch, jax.random.key(0))
        examples = zip(*(np.asarray(batch[k]) for k in ("user", "item", "label")), strict=True)
        rows = np.array([oracle.row(*row, training=True) for row in examples]) * np.asarray(batch["weight"])[:, None]
        norm = sum((table**2).sum() for name, table in oracle.p.items() if name in ("entity", "relation", "bias"))
        _, entropy, divergence = rows.sum(0) / len(rows)
        np.testing.assert_allclose(metrics["cross_entropy"], entropy, rtol=1e-10)
        np.testing.assert_allclose(metrics["divergence"], divergence, rtol=1e-10, atol=1e-14)
        expected = entropy + choices.divergence_weight * divergence + choices.l2 * norm
        np.testing.assert_allclose(value, expected, rtol=1e-10)

        representation = jax.jit(recommender.encode)(params, recommender.inputs)
        test = tiny_data.test.select(np.arange(40))
        scores = recommender.score_pairs(representation, test.users, test.items)
        np.testing.assert_allclose(representation.preference.sum(-1), 1, rtol=1e-12)
        np.testing.assert_allclose(representation.importance.sum(-1), 1, rtol=1e-12)
        expected = [oracle.row(*row, training=False)[0] for row in zip(*test, strict=True)]
        np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("choices", VARIANTS[1:3], ids=str)
def test_gradients_of_the_whole_loss_are_true(tiny_data, choices):
    with jax.enable_x64(True):
        recommender = hkrm(config(**choices), tiny_data, batch_size=16)
        batch = get_batch(recommender.batches, recommender.batches.buckets, 7)

        @jax.jit
        def loss(params):
            return recommender.loss(params, recommender.inputs, batch, jax.random.key(0))[0]

        check_grads(loss, (random_params(recommender),), order=1, rtol=1e-6)


def test_with_leave_one_out_a_training_pair_does_not_depend_on_its_own_row(tiny_data):
    """The score of a pair in training is the same whether or not the target is in the history."""
    positives = tiny_data.train.positives()
    user, item = int(positives.users[3]), int(positives.items[3])
    without = ~((tiny_data.train.users == user) & (tiny_data.train.items == item))
    shorter = dataclasses.replace(tiny_data, train=tiny_data.train.select(without))
    metrics = []
    for data in (tiny_data, shorter):
        recommender = hkrm(config(), data, batch_size=16)
        length = recommender.inputs.histories.length[user : user + 1]
        batch = {
            name: jnp.array([value]) for name, value in {"user": user, "item": item, "label": 1, "weight": 1.0}.items()
        }
        batch["layout"] = ragged_layout(np.asarray(length))
        params = random_params(recommender)
        metrics.append(jax.jit(recommender.loss)(params, recommender.inputs, batch, jax.random.key(0))[1])
    assert (
        recommender.inputs.histories.length[user]
        == length[0]
        == hkrm(config(), tiny_data, 16).inputs.histories.length[user] - 1
    )
    np.testing.assert_allclose(metrics[0]["cross_entropy"], metrics[1]["cross_entropy"], rtol=1e-6)
    np.testing.assert_allclose(metrics[0]["divergence"], metrics[1]["divergence"], rtol=1e-5)


def test_without_leave_one_out_it_does(tiny_data):
    recommender = hkrm(config(leave_one_out=False), tiny_data, batch_size=16)
    strict = hkrm(config(), tiny_data, batch_size=16)
    params = random_params(recommender)
    batch = get_batch(recommender.batches, recommender.batches.buckets, 3)
    leaky, fair = (jax.jit(r.loss)(params, r.inputs, batch, jax.random.key(0))[0] for r in (recommender, strict))
    assert leaky != fair


def test_items_without_triples_are_important_uniformly_and_users_without_positives_prefer_uniformly(tiny_data):
    recommender = hkrm(config(), tiny_data, batch_size=16)
    bare_item = int(np.flatnonzero(~np.asarray(recommender.inputs.field_mask).any(axis=1))[0])
    bare_user = int(np.flatnonzero(np.asarray(recommender.inputs.histories.length) == 0)[0])
    representation = jax.jit(recommender.encode)(random_params(recommender), recommender.inputs)
    np.testing.assert_allclose(representation.importance[bare_item], 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(representation.preference[bare_user], 1 / 3, rtol=1e-6)


@pytest.fixture(scope="module")
def encode(tiny_data):
    """data -> representation of fixed parameters, compiled once for histories of the same lengths."""
    recommender = hkrm(config(), tiny_data, batch_size=16)
    params, compiled = random_params(recommender), jax.jit(recommender.encode)
    return lambda data: compiled(params, hkrm(config(), data, batch_size=16).inputs)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_order_of_a_history_does_not_matter(encode, tiny_data, seed):
    order = np.random.default_rng(seed).permutation(tiny_data.train.users.size)
    a, b = encode(tiny_data), encode(dataclasses.replace(tiny_data, train=tiny_data.train.select(order)))
    np.testing.assert_allclose(a.user, b.user, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(a.preference, b.preference, rtol=1e-4, atol=1e-6)


def test_one_label_alone_is_refused(tiny_data):
    only = dataclasses.replace(tiny_data, train=tiny_data.train.positives())
    with pytest.raises(InputError, match="rows of both labels"):
        hkrm(config(), only, batch_size=16)
