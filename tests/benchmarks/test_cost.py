"""The model of a step's cost, by hand and against the compiler's count for Book-Crossing."""

import dataclasses

import pytest

from benchmarks.cost import cost
from benchmarks.generated_shapes import Sizes
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig

CONFIG = HAKGConfig(**OFFICIAL)
BOOK_CROSSING = Sizes(users=6769, items=14967, entities=77903, edges=303000, interactions=41022)


def test_indices_by_hand():
    one_layer = dataclasses.replace(CONFIG, layers=1)
    no_edges = Sizes(users=10, items=10, entities=10, edges=0, interactions=100)
    # Drawn without an index; then a row in and a row out of the 50 kept, both ways, in one sum more than layers.
    assert cost(one_layer, no_edges).indices == 2 * 200
    assert cost(CONFIG, no_edges).indices == 4 * 200


def test_book_crossing_is_what_the_compiler_counts():
    assert cost(CONFIG, BOOK_CROSSING).indices == pytest.approx(4.50e6, rel=0.01)


def test_what_is_gathered_grows_with_the_chips():
    four, sixteen = (cost(CONFIG, BOOK_CROSSING, chips).gathered_bytes for chips in (4, 16))
    assert (cost(CONFIG, BOOK_CROSSING).gathered_bytes, sixteen) == (0, 4 * four)
