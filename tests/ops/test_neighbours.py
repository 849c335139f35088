"""Neighbours of nodes: who is drawn how often, and who is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops.neighbours import Neighbours, draw_neighbours, is_neighbour, make_neighbours, make_neighbours_transposed
from hkjax.ops.sparse import make_edges

# Node 1 has no neighbour, node 3 the same one twice.
ROWS, COLUMNS = np.array([3, 0, 2, 0, 3, 0, 3]), np.array([4, 1, 5, 0, 4, 5, 1])
EDGES = make_edges(ROWS, COLUMNS, attr=10 * ROWS + COLUMNS)


def test_all_neighbours_are_drawn_where_there_are_few():
    draw = draw_neighbours(jax.random.key(0), make_neighbours(EDGES, 4), jnp.array([3, 1, 2]), 4)
    np.testing.assert_array_equal(draw.present, [[True, True, True, False], [False] * 4, [True, False, False, False]])
    np.testing.assert_array_equal(draw.ids[0, :3], [4, 4, 1])
    np.testing.assert_array_equal(draw.ids[2, 0], 5)
    np.testing.assert_array_equal(draw.attr[0, :3], [34, 34, 31])


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_of_many_neighbours_different_ones_are_drawn_equally_often(k):
    n_draws, nodes = 20_000, jnp.ones(20_000, int)
    edges = make_edges(np.array([0, *[1] * 7]), np.arange(8))
    draw = draw_neighbours(jax.random.key(k), make_neighbours(edges, 2), nodes, k)
    assert draw.present.all()
    assert all(len({*ids}) == k for ids in np.asarray(draw.ids).tolist())
    # To five standard deviations.
    shares = np.bincount(np.ravel(draw.ids), minlength=8) / n_draws
    np.testing.assert_allclose(shares[1:], k / 7, atol=5 * (k / 7 * (1 - k / 7) / n_draws) ** 0.5)


def test_long_lists_of_neighbours_overflow_nothing():
    many = Neighbours(jnp.array([5]), jnp.array([2**31 - 10]), jnp.arange(3))
    # Places past the end have the last id; one that overflowed would be negative and have the first.
    ids = draw_neighbours(jax.random.key(0), many, jnp.zeros(100, int), 50).ids
    assert (ids == 2).all()


def test_the_other_way_round_rows_are_the_neighbours_of_columns():
    draw = draw_neighbours(jax.random.key(0), make_neighbours_transposed(EDGES, 6), jnp.array([5, 3, 4]), 2)
    np.testing.assert_array_equal(draw.present, [[True, True], [False, False], [True, True]])
    np.testing.assert_array_equal(np.asarray(draw.ids)[[0, 2]], [[0, 2], [3, 3]])
    np.testing.assert_array_equal(draw.attr[0], 10 * draw.ids[0] + 5)


def test_a_mean_is_that_of_what_was_drawn_and_0_without_neighbours():
    draw = draw_neighbours(jax.random.key(0), make_neighbours(EDGES, 4), jnp.array([1, 2, 3]), 3)
    values = jnp.arange(18.0).reshape(9, 2)
    np.testing.assert_array_equal(draw.mean(values), [[0, 0], [6, 7], [14, 15]])


def test_who_is_a_neighbour():
    order = np.lexsort((COLUMNS, ROWS))
    ascending = make_neighbours(make_edges(ROWS[order], COLUMNS[order]), 4)
    nodes, ids = jnp.array([0, 1, 2, 3, 0]), jnp.broadcast_to(jnp.arange(-1, 8), (5, 9))
    expected = [
        [(row, column) in {*zip(ROWS, COLUMNS, strict=True)} for column in range(-1, 8)] for row in [0, 1, 2, 3, 0]
    ]
    np.testing.assert_array_equal(is_neighbour(ascending, nodes, ids), expected)
