import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.geometry import cones
from hkjax.geometry import poincare as ball
from hkjax.testing import check_finite


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def points(seed, n=40):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3))
    return jnp.asarray(x / np.linalg.norm(x, axis=1, keepdims=True) * random.uniform(0.05, 0.95, (n, 1)))


def test_the_angle_is_that_of_its_definition():
    x, y = points(0), points(1)
    xx, yy, xy = (jnp.sum(a * b, axis=1) for a, b in ((x, x), (y, y), (x, y)))
    cosine = (xy * (1 + xx) - xx * (1 + yy)) / (
        jnp.sqrt(xx) * jnp.linalg.norm(x - y, axis=1) * jnp.sqrt(1 + xx * yy - 2 * xy)
    )
    np.testing.assert_allclose(cones.angle_at_apex(x, y, 1.0), jnp.arccos(cosine), rtol=1e-9)
    np.testing.assert_allclose(cones.angle_at_apex_of(xx, xy, yy), jnp.arccos(cosine), rtol=1e-9)
    np.testing.assert_allclose(cones.clipped_angle_of(xx, xy, yy, 0.0), jnp.arccos(cosine), rtol=1e-9)


def test_the_angle_is_that_between_the_axis_and_the_geodesic():
    x, y = points(0), points(1)
    v = ball.log_map(x, y, 1.0)
    cosine = jnp.sum(v * x, axis=1) / jnp.linalg.norm(v, axis=1) / jnp.linalg.norm(x, axis=1)
    np.testing.assert_allclose(jnp.cos(cones.angle_at_apex(x, y, 1.0)), cosine, rtol=1e-9, atol=1e-12)


def test_cones_of_any_curvature_are_those_of_the_ball_of_radius_1_scaled():
    x, y, c = points(0), points(1), 4.0
    scaled = cones.half_aperture(x / 2, 0.1, c), cones.angle_at_apex(x / 2, y / 2, c)
    for found, expected in zip(scaled, (cones.half_aperture(x, 0.1, 1.0), cones.angle_at_apex(x, y, 1.0)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_points_beyond_the_apex_lie_on_the_axis_and_points_before_it_behind():
    x = jnp.array([0.3, 0.0])
    np.testing.assert_allclose(cones.angle_at_apex(x, 2 * x, 1.0), 0, atol=1e-12)
    np.testing.assert_allclose(cones.angle_at_apex(x, -x, 1.0), np.pi, rtol=1e-12)


def test_the_aperture_narrows_outwards_and_is_a_half_space_near_zero():
    apertures = cones.half_aperture(jnp.array([[0.0], [0.05], [0.2], [0.5], [0.9]]), 0.1, 1.0)
    assert (jnp.diff(apertures) <= 0).all()
    np.testing.assert_allclose(apertures[2], np.arcsin(0.1 * (1 - 0.04) / 0.2), rtol=1e-12)
    np.testing.assert_allclose(apertures[:2], np.arcsin(1 - 1e-6), rtol=1e-12)


def test_values_and_gradients_are_finite_everywhere():
    check_finite(lambda x, y: cones.angle_at_apex(x, y, 1.0), [1.0, 1.0], order=1)
    check_finite(lambda x: cones.half_aperture(x, 0.1, 1.0), [1.0], order=1)


def official_angle_loss(x, y, k=0.1, eps=1e-6):
    """HAKG's code, line by line: |x|^2 cut at 1 - eps in the sine, the distance from the difference."""
    square = jnp.clip(x @ x, 0, 1 - eps)
    aperture = jnp.arcsin(jnp.clip(k * (1 - square) / jnp.sqrt(square), -1 + eps, 1 - eps))
    length, other, distance = jnp.linalg.norm(x), jnp.linalg.norm(y), jnp.linalg.norm(x - y)
    above = (x @ y) * (1 + length**2) - length**2 * (1 + other**2)
    below = length * distance * jnp.sqrt(1 + length**2 * other**2 - 2 * (x @ y)) + eps
    return jax.nn.relu(jnp.arccos(jnp.clip(above / below, -1 + eps, 1 - eps)) - aperture)


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0, 3.0, 30.0])
def test_the_clipped_forms_are_the_official_ones_at_any_norm(scale):
    def clipped(x, y):
        squares = x @ x, x @ y, y @ y
        return jax.nn.relu(cones.clipped_angle_of(*squares) - cones.clipped_half_aperture_of(squares[0], 0.1))

    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 64, 64)) * scale / 8
    (found, slope), (expected, expected_slope) = (
        jax.jit(jax.vmap(jax.value_and_grad(f)))(x, y) for f in (clipped, official_angle_loss)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # Single entries near 0 carry the rounding of their row, in either form.
    error = np.linalg.norm(slope - expected_slope, axis=1) / np.linalg.norm(expected_slope, axis=1)
    assert error.max() < 1e-10


def test_outside_the_ball_the_official_aperture_is_no_zero():
    assert cones.clipped_half_aperture_of(jnp.float64(4.0), 0.1) == pytest.approx(1.0e-7, rel=1e-5)
    assert cones.half_aperture_of(jnp.float64(4.0), 0.1) == 0
