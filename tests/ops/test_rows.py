import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hkjax.ops.rows import broadcast_rows, materialize, row_dot

RANDOM = np.random.default_rng(0)
ROWS, OTHERS, SCALES = RANDOM.normal(size=(7, 3)), RANDOM.normal(size=(2, 1, 3)), RANDOM.normal(size=7)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def test_row_dot_and_broadcast_rows_are_transposes_in_both_modes():
    rows, scales = jnp.asarray(ROWS), jnp.asarray(SCALES)
    np.testing.assert_allclose(jax.jit(row_dot)(rows, rows), np.sum(ROWS**2, -1), rtol=1e-12)
    np.testing.assert_array_equal(jax.jit(lambda s: broadcast_rows(s, 3))(scales), np.repeat(SCALES, 3).reshape(7, 3))
    _, pullback = jax.vjp(lambda s: broadcast_rows(s, 3), scales)
    np.testing.assert_allclose(pullback(rows)[0], np.sum(ROWS, -1), rtol=1e-12)
    _, tangent = jax.jvp(lambda s: broadcast_rows(s, 3), (scales,), (2 * scales,))
    np.testing.assert_allclose(tangent, broadcast_rows(2 * scales, 3))


def test_rows_may_be_broadcast_and_mapped_over():
    rows, others = jnp.asarray(ROWS), jnp.asarray(OTHERS)
    expected = np.einsum("bd,kd->kb", ROWS, OTHERS[:, 0])
    np.testing.assert_allclose(row_dot(rows, others), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(row_dot, (None, 0))(rows, others), expected, rtol=1e-12)
    check_grads(jax.jit(lambda a, b: jnp.sin(row_dot(a, b))), (rows, others), order=2)


def test_of_bfloat16_sums_are_float32():
    rows = jnp.full((1, 1000), 1.0, jnp.bfloat16).at[0, 0].set(256)
    assert row_dot(rows, rows).dtype == jnp.float32
    assert row_dot(rows, rows)[0] == 256**2 + 999


def test_what_is_computed_once_is_the_same_and_has_the_same_derivatives():
    x = jnp.array([0.0, -0.0, 1.5, -2e-300, 1e308, jnp.inf, -jnp.inf, jnp.nan])
    np.testing.assert_array_equal(jax.jit(materialize)(x), x)
    np.testing.assert_array_equal(jnp.signbit(jax.jit(materialize)(x)), jnp.signbit(x))
    np.testing.assert_array_equal(jax.jit(jax.vmap(materialize))(x), x)
    finite = jnp.array([0.5, -2.0])
    check_grads(jax.jit(lambda x: jnp.sin(materialize(x)) * materialize(materialize(x) ** 2)), (finite,), order=2)
    assert jax.jit(materialize)(jnp.float32(0.1)).dtype == jnp.float32


@pytest.mark.parametrize(
    ("function", "x", "operation"),
    [
        (materialize, SCALES, "divide"),
        (lambda x: row_dot(x, x), ROWS, "dot_general"),
        (lambda x: broadcast_rows(x, 3), SCALES, "dot_general"),
    ],
    ids=["materialize", "row_dot", "broadcast_rows"],
)
def test_cpus_have_ways_of_their_own(function, x, operation):
    for f, arguments in ((function, x), (jax.vmap(function), x[None])):
        for platform in ("cpu", "tpu"):
            text = jax.jit(f).trace(jnp.asarray(arguments)).lower(lowering_platforms=(platform,)).as_text()
            assert (f"stablehlo.{operation}" in text) == (platform == "cpu")
