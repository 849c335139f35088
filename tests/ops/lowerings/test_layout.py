import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops.lowerings.layout import laid_by_columns


@pytest.mark.parametrize(("platform", "n"), [("tpu", 1), ("cpu", 0), ("cuda", 0)])
def test_a_tpu_lays_tables_by_columns(platform, n):
    arrays = jnp.ones(5), jnp.ones((7, 3)), jnp.ones((2, 3, 3)), jnp.ones((7, 128))
    traced = jax.jit(lambda arrays: jax.tree.map(laid_by_columns, arrays)).trace(arrays)
    assert traced.lower(lowering_platforms=(platform,)).as_text().count("LayoutConstraint") == n


def test_a_table_stays_what_it_is():
    table = jnp.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(jax.jit(laid_by_columns)(table), table)
