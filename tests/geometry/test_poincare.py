"""The gyrovector laws, the metric, and finite derivatives everywhere on the closed ball."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkjax.geometry import cones
from hkjax.geometry import poincare as ball
from hkjax.testing import check_finite, check_gradients

curvatures, seeds = st.floats(0.05, 20), st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def points(seed, k, c=1.0, n=20, d=4, largest=0.95):
    """The k-th set of points for a seed, of log-uniform norm up to `largest` of the ball's radius."""
    random = np.random.default_rng([seed, k])
    directions = random.normal(size=(n, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return jnp.asarray(directions * largest * 10 ** random.uniform(-6, 0, (n, 1)) / np.sqrt(c))


def close(a, b, tolerance=1e-11):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@given(curvatures, seeds)
def test_gyrovector_laws(c, seed):
    x, y, v = (points(seed, k, c) for k in range(3))
    close(ball.mobius_add(jnp.zeros_like(x), y, c), y)
    close(ball.mobius_add(-x, x, c), jnp.zeros_like(x))
    close(ball.mobius_add(-x, ball.mobius_add(x, y, c), c), y)
    rotated = ball.gyration(x, y, v, c)
    close(jnp.linalg.norm(rotated, axis=1), jnp.linalg.norm(v, axis=1))
    close(ball.mobius_add(x, ball.mobius_add(y, v, c), c), ball.mobius_add(ball.mobius_add(x, y, c), rotated, c))
    close(ball.mobius_add(x, y, c), ball.gyration(x, y, ball.mobius_add(y, x, c), c))
    close(ball.mobius_scalar_mul(3.0, x, c), ball.mobius_add(x, ball.mobius_add(x, x, c), c))
    close(ball.mobius_scalar_mul(0.5, ball.mobius_scalar_mul(2.0, x, c), c), x)


@given(curvatures, seeds)
def test_exp_and_log_are_inverse_both_ways(c, seed):
    x, y, v = points(seed, 0, c), points(seed, 1, c), points(seed, 2, c, largest=0.3)
    close(ball.exp_map(x, ball.log_map(x, y, c), c), y)
    close(ball.log_map(x, ball.exp_map(x, v, c), c), v, 1e-9)
    close(ball.exp_map_zero(ball.log_map_zero(y, c), c), y)
    close(ball.log_map_zero(ball.exp_map_zero(v, c), c), v)
    close(ball.exp_map(jnp.zeros_like(v), v, c), ball.exp_map_zero(v, c))


@given(curvatures, seeds)
def test_distance_is_a_metric_and_the_length_of_the_logarithm(c, seed):
    x, y, z = (points(seed, k, c) for k in range(3))
    d = ball.distance
    close(d(x, y, c), d(y, x, c))
    close(d(x, x, c), jnp.zeros(len(x)))
    assert (d(x, z, c) <= d(x, y, c) + d(y, z, c) + 1e-11).all()
    close(d(x, y, c), ball.conformal_factor(x, c) * jnp.linalg.norm(ball.log_map(x, y, c), axis=1))
    close(d(jnp.zeros_like(x), x, c), ball.distance_zero(x, c))
    moved = d(ball.mobius_add(z, x, c), ball.mobius_add(z, y, c), c)
    close(moved, d(x, y, c), 1e-9)


@given(curvatures, seeds)
def test_transport_is_an_isometry_that_carries_the_geodesic_along(c, seed):
    x, y, v, w = (points(seed, k, c) for k in range(4))
    carried = [ball.parallel_transport(x, y, t, c) for t in (v, w)]
    products = [ball.conformal_factor(p, c) ** 2 * jnp.sum(a * b, axis=1) for p, (a, b) in ((x, (v, w)), (y, carried))]
    close(*products)
    close(ball.parallel_transport(x, y, ball.log_map(x, y, c), c), -ball.log_map(y, x, c), 1e-10)


@given(curvatures, seeds)
def test_the_midpoint_of_two_points_halves_their_geodesic(c, seed):
    x, y = points(seed, 0, c), points(seed, 1, c)
    half = ball.midpoint(jnp.stack([x, y], axis=1), jnp.ones((len(x), 2)), c)
    close(half, ball.mobius_add(x, ball.mobius_scalar_mul(0.5, ball.mobius_add(-x, y, c), c), c))
    same = ball.midpoint(jnp.stack([x] * 5, axis=1), jnp.arange(5.0), c)
    close(same, x)
    close(ball.midpoint(jnp.stack([x, y], axis=1), jnp.zeros((len(x), 2)), c), jnp.zeros_like(x))


@given(st.floats(1e-16, 1e-13), seeds)
def test_as_the_curvature_vanishes_space_is_euclidean(c, seed):
    x, y = points(seed, 0), points(seed, 1)
    close(ball.mobius_add(x, y, c), x + y)
    close(ball.exp_map(x, y, c), x + y)
    close(ball.log_map(x, y, c), y - x)
    close(ball.distance(x, y, c), 2 * jnp.linalg.norm(x - y, axis=1))


@given(curvatures, seeds)
def test_scaling_a_point_by_the_root_of_c_scales_the_result(c, seed):
    x, y, root = points(seed, 0, c), points(seed, 1, c), np.sqrt(c)
    for function in (ball.mobius_add, ball.exp_map, ball.log_map):
        close(root * function(x, y, c), function(root * x, root * y, 1.0))
    close(root * ball.distance(x, y, c), ball.distance(root * x, root * y, 1.0))


def test_project_is_the_identity_inside_and_lands_on_its_sphere_outside():
    x = jnp.array([[0.3, 0.4], [3.0, 4.0], [0.0, 0.0]])
    close(ball.project(x, 1.0, 4e-3), jnp.array([[0.3, 0.4], [0.6 * 0.996, 0.8 * 0.996], [0.0, 0.0]]))


def test_no_midpoint_is_made_up_for_weights_of_both_signs():
    points = jnp.array([[0.5, 0.0], [0.0, 0.5]])
    assert jnp.isnan(ball.midpoint(points, jnp.array([2.0, -1.0]), 1.0)).all()
    assert jnp.isfinite(ball.midpoint(points, jnp.array([2.0, 0.0]), 1.0)).all()


def test_whole_numbers_are_points_too():
    expected = np.tanh(1) / np.sqrt(2) * np.ones(2)
    np.testing.assert_allclose(ball.exp_map_zero(np.array([1, 1]), 0.5), np.tanh(1) * np.ones(2), rtol=1e-12)
    np.testing.assert_allclose(ball.project(np.array([5, 5]), 1, np.float64(1 - np.tanh(1))), expected, rtol=1e-12)
    assert ball.exp_map(np.array([0, 0]), np.array([1, 2]), 1).dtype == jnp.float64


def test_arguments_may_be_named():
    x, y = points(0, 0), points(0, 1)
    np.testing.assert_array_equal(ball.distance(x, y=y, c=1.0), ball.distance(x, y, 1.0))


PAIRS = {
    "mobius_add": ball.mobius_add,
    "exp_map": ball.exp_map,
    "log_map": ball.log_map,
    "distance": ball.distance,
    "parallel_transport": lambda x, y, c: ball.parallel_transport(x, y, 2 * y - x, c),
    "midpoint": lambda x, y, c: ball.midpoint(jnp.stack([x, y]), jnp.array([1.0, 2.0], x.dtype), c),
    "mobius_scalar_mul": lambda x, y, c: ball.mobius_scalar_mul(y[0], x, c),
    "zero": lambda x, y, c: ball.exp_map_zero(ball.log_map_zero(x, c) + y, c),
    "distance_zero": lambda x, y, c: ball.distance_zero(x, c) + y[0],
    "conformal_factor": lambda x, y, c: ball.conformal_factor(x, c) * y[0],
    "gyration": lambda x, y, c: ball.gyration(x, y, 2 * y - x, c),
}


@pytest.mark.parametrize("name", PAIRS)
def test_first_and_second_derivatives_are_true(name):
    check_gradients(PAIRS[name], (jnp.array([0.3, -0.2, 0.1]), jnp.array([-0.5, 0.1, 0.4]), jnp.float64(0.8)))


@pytest.mark.parametrize("name", PAIRS)
def test_values_gradients_and_hessians_are_finite_on_the_closed_ball(name):
    check_finite(lambda x, y: PAIRS[name](x, y, 1.0), [1.0, 1.0])


@given(st.floats(1e-6, 1.0), st.floats(-0.999999, 0.999999), st.floats(-0.999999, 0.999999))
def test_on_a_diameter_addition_is_that_of_velocities(c, x, y):
    with jax.enable_x64(True):
        x, y = (float(v / np.sqrt(c)) for v in (x, y))
        total = ball.mobius_add(jnp.array([x]), jnp.array([y]), c)
        # In exact arithmetic: where x is nearly -y, rounding them changes all of their sum.
        u, v = Fraction(x), Fraction(y)
        np.testing.assert_allclose(total[0], float((u + v) / (1 + Fraction(c) * u * v)), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("c", [0, -1.0, np.array([1.0, 0.0]), float("nan")])
def test_a_curvature_that_is_not_positive_is_refused(c):
    x = jnp.zeros((2, 3))
    for call in (
        lambda: ball.distance(x, x, c),
        lambda: ball.exp_map_zero(x, c=c),
        lambda: ball.project(x, c, 1e-3),
        lambda: cones.half_aperture(x, 0.1, c),
    ):
        with pytest.raises(ValueError, match=r"\w+: c must be positive, as the curvature is -c; found"):
            call()


def test_a_traced_curvature_is_taken_as_it_is():
    distance = jax.jit(lambda c: ball.distance(jnp.zeros(3), jnp.full(3, 0.1), c))
    assert jnp.isfinite(distance(2.0))
    assert not jnp.isfinite(distance(-1.0))


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"mobius_add: shapes do not fit: x \[3\], y \[2\], c \[\]"):
        ball.mobius_add(jnp.zeros(3), jnp.zeros(2), 1.0)
