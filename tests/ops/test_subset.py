import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops import subset
from hkjax.ops.sparse import make_edges


@pytest.mark.parametrize("size", [0, 1, 3, 7])
def test_a_random_subset_has_its_size_and_every_member_equally_often(size):
    keys = jax.random.split(jax.random.key(0), 4000)
    chosen = np.asarray(jax.vmap(lambda key: subset.random_subset(key, jnp.arange(7), size)[0])(keys))
    np.testing.assert_array_equal(chosen.sum(1), size)
    np.testing.assert_allclose(chosen.mean(0), size / 7, atol=0.03)


def test_of_numbers_that_tie_the_first_are_in_the_subset(monkeypatch):
    monkeypatch.setattr(subset, "folded_words", lambda key, numbers: jnp.full(numbers.shape, 5, jnp.uint32))
    first, other = subset.random_subset(jax.random.key(0), jnp.array([5, 0, 3, 4, 1, 2]), 4)
    np.testing.assert_array_equal(first, [True, True, True, True, False, False])
    np.testing.assert_array_equal(other, [False, True, True, False, True, True])


@pytest.mark.parametrize("at_the_ends", [True, False])
def test_kept_edges_keep_both_orders(at_the_ends):
    random = np.random.default_rng(0)
    edges = make_edges(*random.integers(9, size=(2, 40)), random.integers(3, size=40))
    kept = random.random(40) < 0.5
    kept[:2] = kept[-2:] = at_the_ends
    fewer = subset.select_edges(edges, jnp.asarray(kept), jnp.asarray(kept)[edges.csc_order], int(kept.sum()))
    np.testing.assert_array_equal(fewer.attr, np.asarray(edges.attr)[kept])
    np.testing.assert_array_equal(fewer.rows, np.asarray(edges.rows)[kept])
    np.testing.assert_array_equal(fewer.columns, np.asarray(edges.columns)[kept])
    assert sorted(np.asarray(fewer.csc_order)) == list(range(kept.sum()))
    np.testing.assert_array_equal(fewer.csc_columns, np.sort(fewer.columns))
    np.testing.assert_array_equal(fewer.columns[fewer.csc_order], fewer.csc_columns)
    np.testing.assert_array_equal(fewer.rows[fewer.csc_order], fewer.csc_rows)


def test_a_fraction_of_the_edges_is_drawn_anew_for_each_key():
    edges = make_edges(np.arange(10), np.arange(10)[::-1])
    draw = jax.jit(lambda key: subset.subsample_edges(key, edges, 0.3).rows)
    drawn = np.stack([draw(key) for key in jax.random.split(jax.random.key(0), 20)])
    assert drawn.shape == (20, 3)
    assert len(np.unique(drawn, axis=0)) > 10


@pytest.mark.parametrize("n", [1, 2, 13, 64])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_kept_entries_stay_in_their_order(n, fraction):
    kept = np.random.default_rng(n).random((20, n)) < fraction
    size = int(kept.sum(1).min())  # The first so many of each row.
    arrays = {"a": jnp.arange(n), "b": jnp.arange(n, dtype=jnp.float32) ** 2}
    found = jax.jit(jax.vmap(lambda kept: subset.compact(arrays, kept, size)))(kept)
    for row, places in enumerate(kept):
        expected = np.flatnonzero(places)[:size]
        np.testing.assert_array_equal(found["a"][row], expected)
        np.testing.assert_array_equal(found["b"][row], expected.astype(np.float32) ** 2)
