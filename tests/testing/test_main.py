"""A whole loss on a real batch, with dropout and sampling on: every parameter's derivatives, in either mode."""

import jax
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.dataset import take_users
from hkjax.data.read import read_dataset
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from hkjax.testing.__main__ import measure_loss

BOOK_FIELDS = {"genre": (3,), "date": (2,), "publisher": (7,), "author": (1,), "series": (5,)}


def assert_small(errors):
    for e in errors:
        assert e.reverse < 1e-6, e
        assert e.forward < 1e-6, e
        assert e.second < 1e-4, e


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def test_the_loss_of_hkrm_on_book_crossing(real_data):
    data = read_dataset(DataConfig("ripplenet", str(real_data / "book-crossing"), fields=BOOK_FIELDS), seed=0)
    errors = measure_loss(
        hkrm(HKRMConfig(dim=8, item_bias=True), take_users(data, 20), batch_size=64), directions=1, entries=1
    )
    assert len(errors) == 9
    assert_small(errors)


def test_the_loss_of_hakg_on_book_crossing(real_data):
    data = read_dataset(DataConfig("kgat", str(real_data / "book-crossing-ranking"), ratios=(9, 1)), seed=0)
    config = HAKGConfig(dim=8, layers=1, negatives=5)
    errors = measure_loss(hakg(config, take_users(data, 10), batch_size=16), directions=1, entries=1)
    assert len(errors) == 6
    assert_small(errors)
