import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops import pairs, sparse
from hkjax.ops.lowerings import blocks
from hkjax.ops.rows import l2_normalize


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


@pytest.mark.parametrize("size", [1 << 20, 12])
def test_other_devices_compute_in_large_blocks_what_a_cpu_does_in_small_ones(size, monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", 8)
    monkeypatch.setattr(blocks, "LARGE_SIZE", size)
    random = np.random.default_rng(0)
    ends, index = random.integers(9, size=(2, 30)), jnp.asarray(random.integers(9, size=(9, 11)))
    edges = sparse.make_edges(*ends)
    bits = jnp.asarray(random.integers(2**32, size=(30, 1), dtype=np.uint64).astype(np.uint32))
    branches = []

    def everything(x):
        ht = sparse.sddmm(x, x, edges)
        return (
            sparse.spmm(jnp.sin(ht), x, edges, 9),
            *pairs.score_samples(x, [l2_normalize(x), x], index),
            pairs.masked_gram(x, edges.rows, edges.columns, edges.csc_order, bits, jnp.arange(5)),
        )

    def others(*args, default, **cpu):
        branches.append(default)
        return default(*args)

    def loss(x):
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(everything(x)))

    with jax.enable_x64(True):
        x = jnp.asarray(0.3 * random.normal(size=(9, 5)))
        expected = jax.jit(jax.value_and_grad(loss))(x)
        monkeypatch.setattr(jax.lax, "platform_dependent", others)
        jax.clear_caches()
        found = jax.jit(jax.value_and_grad(lambda x: loss(x)))(x)
    assert len(branches) > 4
    chex.assert_trees_all_close(found, expected, rtol=1e-10)
