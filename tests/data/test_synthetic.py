import dataclasses

import numpy as np
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.fields import attribute_fields
from hkjax.data.synthetic import SyntheticConfig, synthetic_dataset
from hkjax.errors import InputError

SIZES = SyntheticConfig(n_users=300, n_items=100)


def parts(data):
    return (data.train, data.validation, data.test)


def test_every_positive_row_has_its_negative_one():
    data = synthetic_dataset(SIZES, DataConfig(), seed=0)
    labels, users = (np.concatenate([getattr(p, name) for p in parts(data)]) for name in ("labels", "users"))
    np.testing.assert_array_equal(np.bincount(users[labels == 1]), np.bincount(users[labels == 0]))


def test_equal_seeds_give_equal_data():
    first, again, other = (synthetic_dataset(SIZES, DataConfig(), seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.train.items, again.train.items)
    assert not np.array_equal(first.train.items[:100], other.train.items[:100])


def test_users_meet_items_that_share_a_value_of_their_preferred_field():
    data = synthetic_dataset(SyntheticConfig(n_users=300, positives=60.0), DataConfig(), seed=0)
    fields = attribute_fields(data.triples, data.n_items, data.fields, data.names.relations)
    value = np.full((data.n_items, len(data.fields)), -1)
    value[fields.item, fields.field] = fields.value
    positives = data.train.positives()
    agreement = np.zeros((data.n_users, len(data.fields)))
    for user in range(data.n_users):
        values = value[positives.items[positives.users == user]]
        for j in range(len(data.fields)):
            known = values[values[:, j] >= 0, j]
            agreement[user, j] = np.bincount(known).max() / max(len(known), 1) if len(known) else 0
    assert (agreement.argmax(axis=1) == data.true_field).mean() > 0.9


def test_the_taxonomy_of_each_field_has_one_root():
    data = synthetic_dataset(SIZES, DataConfig(), seed=0)
    for j in range(SIZES.n_fields):
        links = data.triples[data.triples[:, 1] == SIZES.n_fields + j]
        roots = np.setdiff1d(links[:, 2], links[:, 0])
        assert len(roots) == 1


def test_popular_items_follow_zipf():
    config = dataclasses.replace(SIZES, n_users=3000, preference=0.0, zipf=1.0, positives=3.0)
    data = synthetic_dataset(config, DataConfig(), seed=0)
    counts = np.sort(np.bincount(data.train.positives().items, minlength=data.n_items))[::-1]
    slope = np.polyfit(np.log(np.arange(5, 60)), np.log(counts[5:60]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.2)


def test_impossible_sizes_are_refused():
    for name, value in {"branching": 1, "n_users": 0, "n_items": -3, "coverage": float("nan")}.items():
        with pytest.raises(InputError, match=f"{name}: expected"):
            dataclasses.replace(SIZES, **{name: value})
