import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hkjax.graph.segment import incidence, incident_sum, segment_softmax

N_SOURCES, N_SEGMENTS, N_PAIRS = 17, 11, 90


@pytest.fixture(scope="module")
def pairs():
    """Pairs with a hub: segment 3 has more members than fit one piece, segment 10 has none."""
    random = np.random.default_rng(0)
    sources = random.integers(N_SOURCES, size=N_PAIRS)
    segments = np.where(random.random(N_PAIRS) < 0.3, 3, random.integers(N_SEGMENTS - 1, size=N_PAIRS))
    return sources, segments


def dense(pairs):
    matrix = np.zeros((N_SEGMENTS, N_SOURCES))
    np.add.at(matrix, (pairs[1], pairs[0]), 1)
    return matrix


def test_incident_sum_is_the_product_with_the_incidence_matrix(pairs):
    x = np.random.default_rng(1).normal(size=(N_SOURCES, 5))
    with jax.enable_x64(True):
        y = incident_sum(jnp.asarray(x), incidence(*pairs, N_SOURCES, N_SEGMENTS), N_SEGMENTS)
    np.testing.assert_allclose(y, dense(pairs) @ x, rtol=1e-12)


def test_its_gradient_is_the_product_with_the_transpose(pairs):
    cotangent = np.random.default_rng(1).normal(size=(N_SEGMENTS, 5))
    with jax.enable_x64(True):
        built = incidence(*pairs, N_SOURCES, N_SEGMENTS)
        _, pullback = jax.vjp(lambda x: incident_sum(x, built, N_SEGMENTS), jnp.zeros((N_SOURCES, 5)))
        np.testing.assert_allclose(pullback(jnp.asarray(cotangent))[0], dense(pairs).T @ cotangent, rtol=1e-12)
        check_grads(lambda x: jnp.sum(incident_sum(x, built, N_SEGMENTS) ** 3), (jnp.ones((N_SOURCES, 5)),), order=2)


def test_softmax_sums_to_one_where_a_member_counts_and_is_zero_elsewhere():
    logits = jnp.array([1.0, 2.0, 3.0, 1e4, -1e4, 7.0])
    segments = jnp.array([0, 0, 0, 2, 2, 3])
    where = jnp.array([True, False, True, True, True, False])
    weights = segment_softmax(logits, segments, 4, where)
    np.testing.assert_allclose(jax.ops.segment_sum(weights, segments, 4), [1, 0, 1, 0])
    np.testing.assert_allclose(weights[:3], [1 / (1 + np.e**2), 0, 1 / (1 + np.e**-2)], rtol=1e-6)


def test_softmax_is_invariant_to_a_constant_per_segment():
    segments = jnp.array([0, 0, 1, 1, 1])
    logits, where = jnp.array([0.3, -1.0, 2.0, 0.0, 0.5]), jnp.ones(5, bool)
    shifted = segment_softmax(logits + jnp.array([5.0, -40.0])[segments], segments, 2, where)
    np.testing.assert_allclose(shifted, segment_softmax(logits, segments, 2, where), rtol=1e-5)


def test_softmax_gradients_are_true_and_finite_without_members():
    with jax.enable_x64(True):
        segments, where = jnp.array([0, 0, 1, 2]), jnp.array([True, True, False, True])
        weigh = jnp.arange(4.0)
        softmax = jax.jit(lambda x: segment_softmax(x, segments, 4, where) @ weigh)
        check_grads(softmax, (jnp.array([0.1, -2.0, 0.0, 30.0]),), order=1)
