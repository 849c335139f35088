"""Bags and members' scores are what whole arrays [members, k, d] give, in any blocks and in the order of GPUs."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hkjax.ops.lookup import bag, segment_scores
from hkjax.ops.lowerings import blocks

S, N, M, K, D = 4, 6, 11, 3, 2


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def members():
    random = np.random.default_rng(0)
    segments, ids = np.sort(random.integers(S, size=M)), random.integers(N, size=M)
    vectors, table, weights = (random.normal(size=size) for size in ((S, K, D), (N, K * D), (M, K)))
    return tuple(map(jnp.asarray, (vectors, table, weights, segments, ids)))


@pytest.mark.parametrize("block", [4, 2048])
def test_scores_and_bags_are_sums_with_true_gradients(block, members, monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", block)
    vectors, table, weights, segments, ids = members
    rows = np.asarray(table)[ids]
    scores = segment_scores(vectors, table, ids, segments)
    expected = np.einsum("mkd,mkd->mk", np.asarray(vectors)[segments], rows.reshape(M, K, D))
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    summed = bag(table, ids, weights[:, 0], segments, S)
    in_segment = np.asarray(segments) == np.arange(S)[:, None]
    np.testing.assert_allclose(summed, (in_segment * np.asarray(weights[:, 0])) @ rows, rtol=1e-12, atol=1e-15)

    def loss(vectors, table, weights):
        summed = bag(table, ids, weights[:, 0], segments, S)
        return jnp.sum(jnp.sin(segment_scores(vectors, table, ids, segments))) + jnp.sum(jnp.cos(summed))

    check_grads(jax.jit(loss), (vectors, table, weights), order=2, rtol=1e-5)


def test_gpus_add_members_in_order(members):
    vectors, table, weights, segments, ids = members

    def loss(vectors, table, weights):
        summed = bag(table, ids, weights[:, 0], segments, S)
        return jnp.sum(segment_scores(vectors, table, ids, segments) ** 2) + jnp.sum(summed**2)

    gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))
    text = gradient.trace(vectors, table, weights).lower(lowering_platforms=("cuda",)).as_text()
    in_order = re.findall(r'"stablehlo.scatter"\(.*?\) <\{indices_are_sorted = (\w+)', text)
    # Forwards the bags; backwards the table of both, and the vectors.
    assert in_order == ["true"] * 4


def test_an_index_takes_all_rows_that_lie_side_by_side(members):
    vectors, table, _, segments, ids = members
    traced = jax.jit(segment_scores).trace(vectors, table, ids, segments)
    text = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert sorted(re.findall(r"slice_sizes = array<i64: ([\d, ]+)>", text)) == ["1, 3, 2", "1, 6"]


def test_of_no_members_there_are_no_scores_and_bags_are_0(members):
    vectors, table, weights, segments, ids = members
    none = segments[:0], ids[:0]

    def loss(vectors, table, weights):
        scores = segment_scores(vectors, table, none[1], none[0])
        assert scores.shape == (0, K)
        return jnp.sum(scores) + jnp.sum(bag(table, none[1], weights[:0, 0], none[0], S))

    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(vectors, table, weights)
    assert value == 0
    assert not any(np.asarray(x).any() for x in gradients)
