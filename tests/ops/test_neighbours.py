"""Neighbours of nodes: who is drawn how often, and who is one."""

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.neighbours import draw_neighbours, is_neighbour, make_neighbours, make_neighbours_transposed
from hkjax.ops.sparse import make_edges

# Node 1 has no neighbour, node 3 the same one twice.
ROWS, COLUMNS = np.array([3, 0, 2, 0, 3, 0, 3]), np.array([4, 1, 5, 0, 4, 5, 1])
EDGES = make_edges(ROWS, COLUMNS, attr=10 * ROWS + COLUMNS)


def test_each_neighbour_is_drawn_as_often_as_it_is_one():
    draw = draw_neighbours(jax.random.key(0), make_neighbours(EDGES, 4), jnp.array([3, 0, 1, 2]), 30_000)
    shares = np.stack([np.bincount(row, minlength=6) / 30_000 for row in np.asarray(draw.ids)])
    expected = [[0, 1 / 3, 0, 0, 2 / 3, 0], [1 / 3, 1 / 3, 0, 0, 0, 1 / 3], [0, 0, 0, 0, 0, 1]]
    # To five standard deviations.
    np.testing.assert_allclose(shares[[0, 1, 3]], expected, atol=5 * (0.25 / 30_000) ** 0.5)
    np.testing.assert_array_equal(draw.present, [True, True, False, True])
    np.testing.assert_array_equal(draw.attr[0], 30 + draw.ids[0])


def test_the_other_way_round_rows_are_the_neighbours_of_columns():
    draw = draw_neighbours(jax.random.key(0), make_neighbours_transposed(EDGES, 6), jnp.array([5, 3, 4]), 1000)
    assert {*np.asarray(draw.ids[0]).tolist()} == {0, 2}
    assert {*np.asarray(draw.ids[2]).tolist()} == {3}
    np.testing.assert_array_equal(draw.attr[0], 10 * draw.ids[0] + 5)
    np.testing.assert_array_equal(draw.present, [True, False, True])


def test_a_mean_is_that_of_what_was_drawn_and_0_without_neighbours():
    draw = draw_neighbours(jax.random.key(0), make_neighbours(EDGES, 4), jnp.array([1, 2]), 3)
    np.testing.assert_array_equal(draw.mean(jnp.arange(12.0).reshape(6, 2)), [[0, 0], [8, 9]])


def test_who_is_a_neighbour():
    order = np.lexsort((COLUMNS, ROWS))
    ascending = make_neighbours(make_edges(ROWS[order], COLUMNS[order]), 4)
    nodes, ids = jnp.array([0, 1, 2, 3, 0]), jnp.arange(-1, 8)
    expected = [
        [(row, column) in {*zip(ROWS, COLUMNS, strict=True)} for column in range(-1, 8)] for row in [0, 1, 2, 3, 0]
    ]
    np.testing.assert_array_equal(is_neighbour(ascending, nodes, ids), expected)
