import numpy as np
import pytest

from hkjax.data.splits import per_user_split, random_split
from hkjax.errors import InputError


def test_random_parts_hold_every_row_once_in_proportion():
    parts = random_split(1000, (6, 2, 2), seed=1)
    assert [len(p) for p in parts] == [600, 200, 200]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(1000))


def test_equal_seeds_split_equally_and_others_do_not():
    first, again, other = (random_split(100, (6, 2, 2), seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_each_user_is_split_in_proportion():
    users = np.repeat([0, 1, 2, 5], [10, 5, 1, 20])
    parts = per_user_split(users, (6, 2, 2), seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(users)))
    assert [np.bincount(users[p], minlength=6).tolist() for p in parts] == [
        [6, 3, 1, 0, 0, 12],
        [2, 1, 0, 0, 0, 4],
        [2, 1, 0, 0, 0, 4],
    ]


@pytest.mark.parametrize("ratios", [(1,), (-1, 2), (0, 0), ((1, 2), (3, 4))])
def test_proportions_that_mean_nothing_are_refused(ratios):
    with pytest.raises(InputError, match=r"data.ratios"):
        random_split(10, ratios, seed=0)
