import jax.numpy as jnp
import numpy as np
from hkjax.graph import relations

MATRIX = jnp.arange(15.0).reshape(3, 5)
NODES, RELATION = jnp.array([2, 0, 2, 1]), jnp.array([0, 4, 3, 3])


def test_entries_and_sums_by_hand():
    all_of_them = jnp.arange(5)
    np.testing.assert_array_equal(relations.entries(MATRIX, all_of_them, NODES, RELATION), [10, 4, 13, 8])
    both = relations.entries(MATRIX, all_of_them, jnp.stack([NODES, NODES[::-1]]), RELATION)
    np.testing.assert_array_equal(both, [[10, 4, 13, 8], [5, 14, 3, 13]])
    found = relations.sums(all_of_them, jnp.array([1.0, 2, 4, 8]), jnp.array([0, 0, 1, 3]), RELATION, 3)
    np.testing.assert_array_equal(found, [[1, 0, 0, 0, 2], [0, 0, 0, 4, 0], [0] * 5])


def test_columns_in_parts_give_the_same():
    parts = (jnp.array([0, 1]), jnp.array([2, 3]), jnp.array([4]))
    read = sum(relations.entries(MATRIX[:, part], part, NODES, RELATION) for part in parts)
    np.testing.assert_array_equal(read, [10, 4, 13, 8])
    values = jnp.array([1.0, 2, 4, 8])
    filled = [relations.sums(part, values, NODES, RELATION, 3) for part in parts]
    np.testing.assert_array_equal(
        jnp.concatenate(filled, axis=1), relations.sums(jnp.arange(5), values, NODES, RELATION, 3)
    )
