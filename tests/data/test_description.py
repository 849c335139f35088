import numpy as np
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.description import describe
from hkjax.data.read import dataset_from_tables
from hkjax.geometry.hyperbolicity import estimate_hyperbolicity


def tree(depth):
    nodes = np.arange(1, 2 ** (depth + 1) - 1)
    return np.column_stack([nodes, (nodes - 1) // 2])


def cycle(n):
    return np.column_stack([np.arange(n), (np.arange(n) + 1) % n])


def test_a_tree_has_hyperbolicity_zero():
    found = estimate_hyperbolicity(tree(6), 127)
    assert (found.largest, found.mean, found.component) == (0, 0, 1)
    assert found.is_tree_like


@pytest.mark.parametrize(("n", "delta"), [(4, 1), (8, 2), (12, 3), (40, 10)])
def test_a_cycle_has_a_quarter_of_its_length(n, delta):
    """Four nodes at equal distances: two opposite pairs at n/2 each, and all other sums n/2 in all."""
    found = estimate_hyperbolicity(cycle(n), n)
    assert found.largest == delta
    assert found.diameter == n // 2
    assert not found.is_tree_like


def test_only_the_largest_component_counts():
    found = estimate_hyperbolicity(np.concatenate([tree(4), cycle(8) + 31]), 60)
    assert found.largest == 0
    np.testing.assert_allclose(found.component, 31 / 39)
    assert estimate_hyperbolicity(np.array([[0, 1]]), 2) is None


def test_a_description_counts_and_says_what_will_hurt():
    met = {"user": [1, 1, 1, 2, 2, 2, 3, 3, 3, 4], "item": list("abcabcabcd"), "rating": [5, 4, 1] * 3 + [5]}
    items = {"id": list("abcde"), "genre": ["x", "x", "y", "x", None], "one": ["z", "z", "z", "z", None]}
    config = DataConfig("tables", ratios=(5, 1, 1))
    data = dataset_from_tables(met, items, [{"h": ["a"], "r": ["sequel"], "t": ["b"]}], config)
    found = describe(data)
    assert found.rows["interactions"] == 10
    assert (found.rows["positives"], found.rows["disliked"]) == (7, 3)
    assert found.density == 7 / 20
    assert found.histories.tolist()[0] == 1
    genre = next(relation for relation in found.relations if relation.name == "genre")
    assert (genre.items, genre.values, genre.single) == (4, 2, 1)
    for sentence in (
        "1 of 5 items have no knowledge",
        "1 users have one positive",
        "the column 'one' has the same value for all its items",
        "sequel: only one item has it",
    ):
        assert any(sentence in problem for problem in found.problems), found.problems
