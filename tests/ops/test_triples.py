import jax.numpy as jnp
import numpy as np

from hkjax.ops import triples
from hkjax.ops.sparse import make_edges

MATRIX = jnp.arange(15.0).reshape(3, 5)
NODES, RELATION = jnp.array([2, 0, 2, 1]), jnp.array([0, 4, 3, 3])


def test_entries_and_sums_by_hand():
    all_of_them = jnp.arange(5)
    np.testing.assert_array_equal(triples._entries(MATRIX, all_of_them, NODES, RELATION), [10, 4, 13, 8])
    both = triples._entries(MATRIX, all_of_them, jnp.stack([NODES, NODES[::-1]]), RELATION)
    np.testing.assert_array_equal(both, [[10, 4, 13, 8], [5, 14, 3, 13]])
    found = triples._sums(all_of_them, jnp.array([1.0, 2, 4, 8]), jnp.array([0, 0, 1, 3]), RELATION, 3)
    np.testing.assert_array_equal(found, [[1, 0, 0, 0, 2], [0, 0, 0, 4, 0], [0] * 5])


def test_columns_in_parts_give_the_same():
    parts = (jnp.array([0, 1]), jnp.array([2, 3]), jnp.array([4]))
    read = sum(triples._entries(MATRIX[:, part], part, NODES, RELATION) for part in parts)
    np.testing.assert_array_equal(read, [10, 4, 13, 8])
    values = jnp.array([1.0, 2, 4, 8])
    filled = [triples._sums(part, values, NODES, RELATION, 3) for part in parts]
    np.testing.assert_array_equal(
        jnp.concatenate(filled, axis=1), triples._sums(jnp.arange(5), values, NODES, RELATION, 3)
    )


def test_a_mean_message_by_hand():
    """Two edges (0, relation 1, 2) and (0, relation 0, 1), one (2, relation 1, 1); entity 1 heads none."""
    graph = make_edges(np.array([0, 2, 0]), np.array([2, 1, 1]), np.array([1, 1, 0]))
    np.testing.assert_array_equal(graph.attr, [1, 0, 1])
    entity, relation = jnp.array([[1.0, 0], [0, 2], [3, 1]]), jnp.array([[1.0, 1], [0, -1]])
    gram = triples.edge_gram(entity, relation, graph)
    np.testing.assert_allclose(gram.hh, [1, 1, 10])
    np.testing.assert_allclose(gram.tt, [10, 4, 4])
    np.testing.assert_allclose(gram.rr, [1, 2, 1])
    np.testing.assert_allclose(gram.ht, [3, 0, 2])
    np.testing.assert_allclose(gram.hr, [0, 1, -1])
    np.testing.assert_allclose(gram.tr, [-1, 2, -2])
    sum_of_all = triples.Coefficients(-jnp.ones(3), jnp.ones(3), 2 * jnp.ones(3))
    found = triples.mean_message(sum_of_all, entity, relation, graph)
    # Of entity 0 the mean of (3, 1) - (1, 0) + (0, -2) and (0, 2) - (1, 0) + (2, 2).
    np.testing.assert_allclose(found, [[1.5, 1.5], [0, 0], [-3, -1]])
