"""Laws of the distributions over fields, and hand-worked divergences."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hkjax.models.hkrm.proximity import cross_entropy, kl_divergence, proximity_log_softmax, proximity_softmax

logits = st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4).map(np.array)
masks = st.lists(st.booleans(), min_size=4, max_size=4).map(np.array)


@given(logits, masks, st.floats(-100, 100))
def test_proximity_softmax_is_a_distribution_over_the_unmasked_fields(x, field_mask, shift):
    with jax.enable_x64(True):
        p = proximity_softmax(jnp.asarray(x), field_mask)
        np.testing.assert_allclose(p.sum(), 1, rtol=1e-12)
        np.testing.assert_allclose(proximity_softmax(jnp.asarray(x + shift), field_mask), p, atol=1e-9)
        if field_mask.any():
            assert (p[~field_mask] == 0).all()
            changed = jnp.where(field_mask, x, 3.0)
            np.testing.assert_array_equal(proximity_softmax(changed, field_mask), p)


@given(logits, logits, masks)
def test_kl_is_non_negative_and_zero_at_equality_alone(x, y, field_mask):
    with jax.enable_x64(True):
        p, log_q = proximity_softmax(jnp.asarray(x), field_mask), proximity_log_softmax(jnp.asarray(y), field_mask)
        apart = jnp.sum(jnp.abs(p - jnp.exp(log_q)), where=field_mask)
        # Pinsker's inequality: more than 0 wherever the two differ.
        assert kl_divergence(p, log_q, field_mask) >= apart**2 / 2 - 1e-10
        equal = kl_divergence(p, proximity_log_softmax(jnp.asarray(x), field_mask), field_mask)
        np.testing.assert_allclose(equal, 0, atol=1e-10)


def test_kl_of_unequal_distributions_is_that_of_hand():
    p, q = jnp.array([0.5, 0.25, 0.25]), jnp.array([0.25, 0.5, 0.25])
    everything, two = jnp.array([True] * 3), jnp.array([True, True, False])
    np.testing.assert_allclose(kl_divergence(p, jnp.log(q), everything), 0.25 * np.log(2), rtol=1e-6)
    # Conditioned to two fields: (2/3, 1/3) against (1/3, 2/3).
    log_q = jnp.log(jnp.array([1 / 3, 2 / 3, 1.0]))
    np.testing.assert_allclose(kl_divergence(p, log_q, two), np.log(2) / 3, rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(p, jnp.log(q), everything), 1.75 * np.log(2), rtol=1e-6)


def test_the_divergence_is_finite_for_logits_that_underflow():
    x, field_mask = jnp.array([0.0, 500.0, -500.0]), jnp.ones(3, bool)
    p = jnp.array([0.2, 0.3, 0.5])
    gradient = jax.grad(lambda x: kl_divergence(p, proximity_log_softmax(x, field_mask), field_mask))(x)
    assert jnp.isfinite(gradient).all()
