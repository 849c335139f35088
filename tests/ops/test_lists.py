"""Products of lists with a sparse matrix against dense ones."""

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.lists import (
    Neighbours,
    dense_rows,
    make_lists,
    neighbour_scores,
    neighbour_sums,
    padded_lists,
    targets_of_sources,
    vector_sums,
)

RANDOM = np.random.default_rng(0)
N, K = 9, 4


def neighbours():
    """A random matrix: four sources of each target, some of which are none."""
    sources = np.stack([RANDOM.choice(N, K, replace=False) for _ in range(N)])
    sources[RANDOM.random(sources.shape) < 0.2] = N
    weights = np.where(sources < N, RANDOM.normal(size=sources.shape), 0)
    dense = np.zeros((N + 1, N))
    np.add.at(dense, (sources, np.arange(N)[:, None]), weights)
    return Neighbours(jnp.asarray(sources, jnp.int32), jnp.asarray(weights, jnp.float32)), dense[:N]


def test_lists_are_rows():
    lists = make_lists(np.array([2, 0, 2, 2]), np.array([1, 3, 0, 1]), np.array([1.0, 2, 3, 4]), 4)
    expected = np.zeros((4, 5))
    expected[0, 3], expected[2, 0], expected[2, 1] = 2, 3, 5
    np.testing.assert_array_equal(dense_rows(lists, jnp.arange(4), 5), expected)
    empty = make_lists(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 2)
    np.testing.assert_array_equal(dense_rows(empty, jnp.array([1]), 3), np.zeros((1, 3)))


def test_vectors_are_summed_by_weights():
    lists = make_lists(np.array([2, 0, 2]), np.array([1, 3, 0]), np.array([1.0, 2, 3]), 3)
    table = RANDOM.normal(size=(4, 2)).astype(np.float32)
    expected = np.stack([2 * table[3], np.zeros(2), table[1] + 3 * table[0]])
    np.testing.assert_allclose(vector_sums(lists, jnp.arange(3), jnp.asarray(table)), expected, rtol=1e-6)


def test_sums_over_members_are_a_product_of_matrices():
    table, dense = neighbours()
    values, weights = RANDOM.integers(N, size=(6, 5)), RANDOM.normal(size=(6, 5))
    lists = padded_lists(jnp.asarray(values, jnp.int32), jnp.asarray(weights, jnp.float32))
    x = np.zeros((6, N))
    np.add.at(x, (np.arange(6)[:, None], values), weights)
    rows = jnp.array([5, 0, 2])
    found = jax.jit(neighbour_sums)(table, targets_of_sources(table), lists, rows)
    np.testing.assert_allclose(found, (x @ dense)[rows], rtol=1e-5, atol=1e-6)
    targets = np.array([8, 0, 3])
    scores = neighbour_scores(table, dense_rows(lists, rows, N), targets)
    np.testing.assert_allclose(scores, (x @ dense)[rows, targets], rtol=1e-5, atol=1e-6)


def test_a_matrix_by_source_holds_the_same_entries():
    table, dense = neighbours()
    by_source = targets_of_sources(table)
    for source in range(N):
        place = slice(by_source.start[source], by_source.start[source] + by_source.length[source])
        assert (np.diff(by_source.values[place]) > 0).all()
        row = np.zeros(N)
        row[by_source.values[place]] = by_source.weights[place]
        np.testing.assert_allclose(row, dense[source], rtol=1e-6)
