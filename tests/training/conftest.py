"""A small model to train."""

import pytest

from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm


@pytest.fixture(scope="module")
def recommender(tiny_data):
    return hkrm(HKRMConfig(dim=8, l2=1e-6), tiny_data, batch_size=32)


# By the loss of the recommender: what is compiled once serves all runs.
