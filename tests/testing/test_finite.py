import jax.numpy as jnp
import pytest

from hkjax.geometry import radial
from hkjax.testing import check_finite


def test_a_straight_port_of_a_clamped_norm_is_caught():
    def clamped(v):
        norm = jnp.maximum(jnp.linalg.norm(v), 1e-15).astype(v.dtype)
        return jnp.tanh(norm) * v / norm

    with pytest.raises(AssertionError, match=r"gradient in float32: not finite at \[\[0.0, 0.0, 0.0\]\]"):
        check_finite(clamped, [5.0], dtypes=[jnp.float32])


def test_what_is_not_finite_at_equal_or_opposite_points_is_caught():
    for sign in (1, -1):
        with pytest.raises(AssertionError, match="value in float64"):
            check_finite(lambda x, y, sign=sign: 1 / jnp.sum(jnp.abs(x + sign * y)), [1.0, 1.0], dtypes=[jnp.float64])


def test_a_lost_dtype_is_caught():
    with pytest.raises(AssertionError, match="dtype float32 from points of bfloat16"):
        check_finite(lambda x: x.astype(jnp.float32), [1.0], dtypes=[jnp.bfloat16], order=0)


def test_a_sound_function_passes():
    check_finite(lambda v: radial.tanhc(jnp.sum(v**2)) * v, [5.0])
