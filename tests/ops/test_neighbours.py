"""Neighbours of nodes: who is drawn how often, and who is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops import neighbours
from hkjax.ops.neighbours import is_neighbour, make_neighbours, make_neighbours_transposed
from hkjax.ops.segment import Ragged
from hkjax.ops.sparse import make_edges

draw_neighbours = jax.jit(neighbours.draw_neighbours, static_argnums=(3, 4))
# Node 1 has no neighbour, node 3 the same one twice.
ROWS, COLUMNS = np.array([3, 0, 2, 0, 3, 0, 3]), np.array([4, 1, 5, 0, 4, 5, 1])
EDGES = make_edges(ROWS, COLUMNS, attr=10 * ROWS + COLUMNS)


def test_all_neighbours_are_drawn_where_there_are_few():
    draw = draw_neighbours(jax.random.key(0), make_neighbours(EDGES, 4), jnp.array([3, 1, 2]), 4)
    np.testing.assert_array_equal(draw.present, [[True, True, True, False], [False] * 4, [True, False, False, False]])
    np.testing.assert_array_equal(draw.ids[0, :3], [4, 4, 1])
    np.testing.assert_array_equal(draw.ids[2, 0], 5)
    np.testing.assert_array_equal(draw.attr[0, :3], [34, 34, 31])


@pytest.mark.parametrize(("most", "kept_as"), [(255, jnp.uint8), (256, jnp.uint16), (70_000, jnp.uint32)])
def test_what_edges_carry_takes_as_few_bytes_as_its_numbers_need(most, kept_as):
    edges = EDGES._replace(attr=jnp.array([0, 1, 2, 3, 4, 5, most]))
    of_rows, of_columns = make_neighbours(edges, 4), make_neighbours_transposed(edges, 6)
    assert of_rows.attr.dtype == of_columns.attr.dtype == kept_as
    for of_nodes, n in ((of_rows, 4), (of_columns, 6)):
        draw = draw_neighbours(jax.random.key(0), of_nodes, jnp.arange(n), 4)
        assert draw.attr.dtype == jnp.int32
        assert sorted(draw.attr[draw.present].tolist()) == [0, 1, 2, 3, 4, 5, most]


@pytest.mark.parametrize("attr", [jnp.array([0, 1, 2, -1, 3, 4, 5]), jnp.full(7, 0.5)])
def test_edges_carry_whole_numbers_from_0_on(attr):
    with pytest.raises(AssertionError):
        make_neighbours(EDGES._replace(attr=attr), 4)


@pytest.mark.parametrize("n", [1, 5, 7])
@pytest.mark.parametrize(("k", "keep"), [(3, 1.0), (2, 0.5), (5, 0.3)])
def test_each_neighbour_is_drawn_with_the_same_probability(n, k, keep):
    n_draws, nodes = 10_000, jnp.ones(10_000, int)
    edges = make_edges(np.array([0, *[1] * n]), np.arange(n + 1))
    draw = draw_neighbours(jax.random.key(k), make_neighbours(edges, 2), nodes, k, keep)
    counts = np.bincount(np.asarray(draw.ids)[np.asarray(draw.present)], minlength=n + 1) / n_draws
    expected = min(keep, k / n)
    # To five standard deviations.
    np.testing.assert_allclose(counts[1:], expected, atol=5 * (expected / n_draws) ** 0.5 if expected < 1 else 1e-6)
    assert counts[0] == 0
    np.testing.assert_allclose(draw.expected, n * expected, rtol=1e-6)


@pytest.mark.parametrize("keep", [0.5, 1.0])
def test_the_unbiased_mean_is_that_over_all_neighbours(keep):
    nodes, weight = jnp.arange(4), jnp.array([1.0, 2, 4, 8, 16, 32])

    def estimate(key):
        draw = draw_neighbours(key, make_neighbours(EDGES, 4), nodes, 2, keep)
        return draw.unbiased_mean(weight[draw.ids].reshape(-1, 1))[:, 0]

    found = jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(0), 4000))
    error = np.abs(found.mean(0) - np.array([35 / 3, 0, 32, 34 / 3])) - 5 * found.std(0) / 4000**0.5
    assert error.max() < 1e-5


def test_long_lists_of_neighbours_overflow_nothing():
    many = Ragged(jnp.array([5]), jnp.array([2**31 - 10]), jnp.arange(3))
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
