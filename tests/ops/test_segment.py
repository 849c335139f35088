import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from hkjax.ops.segment import segment_mean, segment_softmax, segment_sum


def test_sums_and_means_are_over_each_segments_members():
    x, segments = jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]]), jnp.array([0, 0, 2])
    np.testing.assert_array_equal(segment_sum(x, segments, 3), [[4, 6], [0, 0], [5, 9]])
    where = jnp.array([True, True, True])
    np.testing.assert_array_equal(segment_mean(x, segments, 3, where), [[2, 3], [0, 0], [5, 9]])
    np.testing.assert_array_equal(segment_mean(x, segments, 3, where.at[0].set(False)), [[3, 4], [0, 0], [5, 9]])
    np.testing.assert_array_equal(segment_mean(x[:, 0], segments, 3, ~where), [0, 0, 0])


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
