import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.graph import blocks


@pytest.mark.parametrize("n", [0, 3, 4, 11])
def test_rows_are_mapped_whatever_their_number(n, monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", 8)
    x = jnp.arange(2.0 * n).reshape(n, 2)
    doubled, first = blocks.map_rows(lambda rows: (2 * rows[0], rows[1]), (x, jnp.arange(n)), width=2)
    np.testing.assert_array_equal(doubled, 2 * x)
    np.testing.assert_array_equal(first, np.arange(n))


@pytest.mark.parametrize("n", [0, 3, 4, 11])
def test_rows_are_added_whatever_their_number(n, monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", 4)
    values = jnp.arange(1.0, n + 1)
    total = blocks.add_rows(lambda total, rows: total + jnp.sum(rows), jnp.float32(5), values, 0)
    assert total == 5 + n * (n + 1) / 2


def test_inner_and_spread_are_transposes_in_both_modes():
    random = np.random.default_rng(0)
    rows, scales = jnp.asarray(random.normal(size=(7, 3))), jnp.asarray(random.normal(size=7))
    np.testing.assert_allclose(blocks.inner(rows, rows), np.sum(np.asarray(rows) ** 2, -1), rtol=1e-6)
    np.testing.assert_array_equal(blocks.spread(scales, 3), np.repeat(scales, 3).reshape(7, 3))
    _, pullback = jax.vjp(lambda s: blocks.spread(s, 3), scales)
    np.testing.assert_allclose(pullback(rows)[0], np.sum(np.asarray(rows), -1), rtol=1e-5)
    _, tangent = jax.jvp(lambda s: blocks.spread(s, 3), (scales,), (2 * scales,))
    np.testing.assert_allclose(tangent, blocks.spread(2 * scales, 3))
