"""The promises of a Recommender, the same for every model."""

import pytest
from hkjax.models.baselines import balance_and_popularity, popularity
from hkjax.models.hakg_config import OFFICIAL, HAKGConfig
from hkjax.models.hkrm_config import HKRMConfig

from hkjax.models.hakg import hakg
from hkjax.models.hkrm import hkrm
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.testing import check_recommender

SMALL = {"dim": 8, "layers": 2, "negatives": 5}

MODELS = {
    "hkrm": lambda data: hkrm(HKRMConfig(dim=8), data, batch_size=32),
    "hkrm with item bias": lambda data: hkrm(HKRMConfig(dim=8, item_bias=True), data, batch_size=32),
    "hakg": lambda data: hakg(HAKGConfig(**SMALL), data, batch_size=32),
    "hakg, official": lambda data: hakg(HAKGConfig(**SMALL, **OFFICIAL), data, batch_size=32),
    "hakg without dual items": lambda data: hakg(HAKGConfig(**SMALL, dual_items=False), data, batch_size=32),
    "hakg without gate, euclidean": lambda data: hakg(
        HAKGConfig(**SMALL, gate=False, message="euclidean"), data, batch_size=32
    ),
    "lightgcn": lambda data: lightgcn(LightGCNConfig(dim=8, layers=2), data, batch_size=32),
    "bpr-mf": lambda data: lightgcn(LightGCNConfig(dim=8, layers=0), data, batch_size=32),
    "popularity": popularity,
    "balance and popularity": balance_and_popularity,
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_keeps_the_promises_of_a_recommender(name, tiny_data):
    check_recommender(MODELS[name](tiny_data))
