import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hkjax.ops.autodiff.transpose import with_transpose

CALLS = []


def function(x, constants):
    a, b = x
    ids, scale = constants
    return scale * jnp.sin(a[ids] * b)


def reverse(x, constants, cotangent):
    CALLS.append(cotangent.shape)
    a, b = x
    ids, scale = constants
    slope = scale * cotangent * jnp.cos(a[ids] * b)
    return jnp.zeros_like(a).at[ids].add(slope * b), slope * a[ids]


OURS = with_transpose(function, reverse)


@pytest.fixture
def arguments():
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        a, b, scale = (jnp.asarray(random.normal(size=n)) for n in (4, 6, 6))
        yield (a, b), (jnp.array([3, 0, 0, 1, 2, 3]), scale)


def test_the_reverse_pass_is_the_given_one(arguments):
    x, constants = arguments
    CALLS.clear()
    found = jax.grad(lambda x: OURS(x, constants).sum())(x)
    assert CALLS == [(6,)]
    expected = jax.grad(lambda x: function(x, constants).sum())(x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), found, expected)


def test_derivatives_of_either_mode_and_of_second_order(arguments):
    x, (ids, scale) = arguments
    check_grads(jax.jit(lambda *x: OURS(x, (ids, scale))), x, order=2)
    check_grads(jax.jit(lambda a, scale: OURS((a, x[1]), (ids, scale))), (x[0], scale), order=2)
    # Of one argument alone.
    check_grads(jax.jit(lambda b: OURS((x[0], b), (ids, scale))), x[1:], order=1)


def test_in_a_scan_that_computes_anew(arguments):
    x, (ids, scale) = arguments

    @jax.checkpoint
    def advance(b, _):
        return OURS((x[0], b), (ids, scale)), None

    check_grads(jax.jit(lambda b: jax.lax.scan(advance, b, None, length=3)[0]), x[1:], order=2)


def test_a_batch_is_each_of_its_members(arguments):
    (a, b), constants = arguments
    gradient = jax.grad(lambda b: OURS((a, b), constants).sum())
    batch = jnp.stack([b, 2 * b])
    np.testing.assert_allclose(jax.vmap(gradient)(batch), jnp.stack([gradient(x) for x in batch]), rtol=1e-12)
