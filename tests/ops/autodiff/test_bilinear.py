import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hkjax.ops.autodiff.bilinear import bilinear_primitives

# A dense form, T = sum of w_ij <y_i, x_j>, whose edges need no arrays to say where they are.
BY_WEIGHTS, BY_ROWS, BY_COLUMNS = bilinear_primitives(
    "dense", lambda y, x, n: y @ x.T, lambda w, x, n: w @ x, lambda w, y, n: w.T @ y
)


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        yield tuple(jnp.asarray(random.normal(size=shape)) for shape in ((3, 4), (3, 2), (4, 2)))


def test_each_is_differentiable_in_either_mode_and_twice(arrays):
    w, y, x = arrays
    check_grads(jax.jit(lambda y, x: jnp.sin(BY_WEIGHTS(y, x, n=3))), (y, x), order=2)
    check_grads(jax.jit(lambda w, x: jnp.sin(BY_ROWS(w, x, n=3))), (w, x), order=2)
    check_grads(jax.jit(lambda w, y: jnp.sin(BY_COLUMNS(w, y, n=4))), (w, y), order=2)


def test_the_transpose_of_each_is_another_of_the_three(arrays):
    w, y, x = arrays
    reverse = jax.make_jaxpr(lambda w, x: jax.vjp(lambda w, x: BY_ROWS(w, x, n=3), w, x)[1](y))(w, x)
    used = {equation.primitive.name for equation in reverse.jaxpr.eqns}
    assert {"dense_by_weights", "dense_by_columns"} <= used
    assert not used & {"dot_general", "transpose"}


def test_an_argument_may_be_used_twice(arrays):
    _, y, _ = arrays
    check_grads(lambda y: jnp.sin(BY_WEIGHTS(y, y, n=3)), (y,), order=2)


def test_they_are_mapped_over_a_batch(arrays):
    w, _, x = arrays
    several = jnp.stack([w, 2 * w])
    found = jax.vmap(lambda w: BY_ROWS(w, x, n=3))(several)
    np.testing.assert_allclose(found, several @ x, rtol=1e-12)
