"""Drawn negatives: unseen, different, as many as there are."""

import numpy as np

from hkjax.data.negatives import draw_negatives
from tests.data.test_assemble import ITEMS, MET, PARTS, USERS, build, rows


def test_drawn_negatives_are_unseen_and_different():
    data = build({name: column[:-7] for name, column in MET.items()}, items={"id": np.arange(30), "g": ["a"] * 30})
    drawn = draw_negatives(data, seed=1)
    negatives = [getattr(drawn, part).select(getattr(drawn, part).labels == 0) for part in PARTS]
    for part, own in zip(PARTS, negatives, strict=True):
        np.testing.assert_array_equal(np.sort(own.users), np.sort(getattr(data, part).users))
    pairs = rows(*negatives)
    assert len(set(pairs)) == len(pairs)
    assert not set(pairs) & set(rows(data.seen(*PARTS)))


def test_a_user_who_met_nearly_everything_gets_as_many_negatives_as_there_are():
    data = build({"user": USERS, "item": ITEMS}, items={"id": np.arange(13), "g": ["a"] * 13})
    drawn = draw_negatives(data, seed=1)
    negatives = [part.select(part.labels == 0) for part in (drawn.train, drawn.validation, drawn.test)]
    assert rows(*negatives) == [(u, i) for u in range(6) for i in (10, 11, 12)]
