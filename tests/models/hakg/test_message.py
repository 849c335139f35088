"""The messages by their coefficients against their direct form, point by point on the ball."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.geometry import poincare as ball
from hkjax.models.hakg import message
from hkjax.ops.messages import row_messages

EPS = 4e-3


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def direct_slides(h, t, r):
    e_h, e_t, e_r = (ball.exp_map_zero(v, 1.0) for v in (h, t, r))
    return ball.log_map(e_h, ball.mobius_add(e_t, e_r, 1.0), 1.0)


def direct_official(h, t, r):
    head = ball.project(ball.exp_map_zero(h, 1.0), 1.0, EPS)
    reached = ball.mobius_add(ball.exp_map(head, t, 1.0), ball.exp_map(head, r, 1.0), 1.0)
    return ball.log_map(head, ball.project(reached, 1.0, EPS), 1.0)


def span(function, h, t, r):
    return row_messages(function, h, t, r)


FORMS = {
    "slides": (direct_slides, message.slides_message),
    "official": (direct_official, lambda gram: message.official_message(gram, EPS)),
}


@pytest.mark.parametrize("scale", [0.02, 0.5, 1.0])
@pytest.mark.parametrize("name", FORMS)
def test_span_and_direct_form_agree_in_values_and_gradients(name, scale):
    random = np.random.default_rng(0)
    vectors = tuple(jnp.asarray(random.normal(size=(50, 6)) * scale / np.sqrt(6)) for _ in range(3))
    direct, coefficients = FORMS[name]
    found, expected = span(coefficients, *vectors), direct(*vectors)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
    cotangent = jnp.asarray(random.normal(size=(50, 6)))
    gradients = [
        jax.jit(jax.grad(lambda v, f=f: jnp.sum(cotangent * f(*v))))(vectors)
        for f in (lambda *v: span(coefficients, *v), direct)
    ]
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(b).max())


def test_near_zero_both_are_sums_and_differences():
    random = np.random.default_rng(0)
    h, t, r = (jnp.asarray(random.normal(size=(20, 6)) * 1e-6) for _ in range(3))
    np.testing.assert_allclose(span(message.slides_message, h, t, r), t + r - h, rtol=1e-5, atol=1e-16)
    np.testing.assert_allclose(span(message.euclidean_message, h, t, r), t + r - h, rtol=1e-12)
    official = span(lambda gram: message.official_message(gram, EPS), h, t, r)
    np.testing.assert_allclose(official, t + r + h, rtol=1e-5, atol=1e-16)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_values_and_gradients_are_finite_at_zero_and_far_out(name, dtype):
    e = np.array([1.0, 0.0])
    scales = np.stack(np.meshgrid(*[[0, 1e-9, 1, -1, 30]] * 3), axis=-1).reshape(-1, 3)
    h, t, r = (jnp.asarray(scale[:, None] * e, dtype) for scale in scales.T)
    value, gradient = jax.jit(jax.value_and_grad(lambda v: jnp.sum(span(FORMS[name][1], *v))))((h, t, r))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in (value, *gradient))
