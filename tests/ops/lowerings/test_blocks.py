import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops.lowerings import blocks


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
