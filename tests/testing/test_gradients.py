import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.testing import check_gradients


def test_a_smooth_function_passes_in_every_leaf():
    args = ({"a": jnp.array([0.3, -1.0]), "b": jnp.float32(2.0)}, jnp.arange(2))
    errors = check_gradients(lambda p, i: jnp.sin(p["a"] * p["b"]) + i, args)
    assert [e.size for e in errors] == [2, 1]
    assert all(e.reverse < 1e-9 and e.forward < 1e-9 and e.second < 1e-8 for e in errors)


@jax.custom_vjp
def wrong_cube(x):
    return x**3


wrong_cube.defvjp(lambda x: (x**3, x), lambda x, g: (jnp.where(jnp.arange(x.size) == 2, 1.001, 1) * 3 * x**2 * g,))


def test_a_wrong_rule_is_caught_at_its_entry():
    with pytest.raises(AssertionError, match=r"reverse-mode error .* worst entry \(2,\)"):
        check_gradients(wrong_cube, (jnp.array([1.0, 2.0, 3.0]),), entries=9)


def test_a_stopped_gradient_is_caught():
    with pytest.raises(AssertionError, match="reverse-mode error"):
        check_gradients(lambda x: jnp.sum(x * jax.lax.stop_gradient(x)), (jnp.array([1.0, 2.0]),))


def test_a_wrong_second_derivative_is_caught():
    @jax.custom_vjp
    def square(x):
        return jnp.sum(x**2)

    square.defvjp(lambda x: (square(x), x), lambda x, g: (2 * jax.lax.stop_gradient(x) * g,))
    with pytest.raises(AssertionError, match="second-order error"):
        check_gradients(square, (jnp.array([1.0, 2.0]),))


def test_forward_mode_is_left_out_where_it_is_not_defined():
    @jax.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (x**2, x), lambda x, g: (2 * x * g,))
    (error,) = check_gradients(square, (jnp.float64(3.0),))
    assert error.forward is None
    assert error.entry == ()
    np.testing.assert_allclose(error.reverse, 0, atol=1e-9)
