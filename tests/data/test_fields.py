import numpy as np
import pytest

from hkjax.data.fields import attribute_fields
from hkjax.errors import InputError

# Items 0 to 2; entity 7 is the author of items 0 and 1, said in both directions for item 0.
TRIPLES = np.array([[0, 1, 7], [7, 0, 0], [7, 0, 1], [1, 2, 9], [2, 2, 0], [8, 1, 7]])
NAMES = ["written", "author", "genre"]


def test_values_are_gathered_in_both_directions_and_once():
    fields = attribute_fields(TRIPLES, 3, {"author": (1, ~0), "genre": (2,)}, NAMES)
    found = [(i, fields.names[f], fields.entities[v]) for i, f, v in zip(*fields[1:4], strict=True)]
    assert found == [(0, "author", 7), (1, "author", 7), (1, "genre", 9), (2, "genre", 0)]


def test_items_are_the_first_rows_of_the_entity_table():
    fields = attribute_fields(TRIPLES, 3, {"genre": (2,)}, NAMES)
    np.testing.assert_array_equal(fields.entities, [0, 1, 2, 9])


def test_relations_may_be_named():
    by_id = attribute_fields(TRIPLES, 3, {"author": (1, ~0)}, NAMES)
    by_name = attribute_fields(TRIPLES, 3, {"author": ("author", "~written")}, NAMES)
    for a, b in zip(by_id[1:], by_name[1:], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "name at least one field"),
        ({"author": ()}, "data.fields.author: expected a list of relations"),
        ({"author": 1}, "data.fields.author: expected a list of relations"),
        ({"author": (3,)}, "unknown relation 3; the graph has relations 0 to 2"),
        ({"author": (~3,)}, "unknown relation 3"),
        ({"author": ("authr",)}, "unknown relation 'authr'; did you mean 'author'"),
    ],
)
def test_unknown_fields_and_relations_are_refused(spec, message):
    with pytest.raises(InputError, match=message):
        attribute_fields(TRIPLES, 3, spec, NAMES)
