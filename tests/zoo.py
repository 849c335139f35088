"""The table of models that tests run: every builder, and every branch of the two papers' models, in small."""

from collections.abc import Callable
from typing import Any

from hkjax.data.dataset import Dataset
from hkjax.models.base import Recommender
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.models.linear.config import EASEConfig, EDLAEConfig, IALSConfig, ItemKNNConfig, RP3betaConfig, SLIMConfig
from hkjax.models.linear.ease import ease
from hkjax.models.linear.ials import ials
from hkjax.models.linear.neighbours import item_knn, rp3beta
from hkjax.models.linear.slim import slim
from hkjax.models.link.config import LINKConfig
from hkjax.models.link.model import link
from hkjax.models.multvae import MultVAEConfig, multvae
from hkjax.models.popularity import balance_and_popularity, popularity

SMALL = {"dim": 8, "layers": 2, "negatives": 5}
ONE_LAYER = {**SMALL, "layers": 1}
# Nothing that devices draw for themselves: steps on several devices are those of one.
WHOLE = {"edge_keep": 1.0, "interaction_keep": 1.0}


def _hkrm(**choices) -> Callable[[Dataset], Recommender]:
    return lambda data: hkrm(HKRMConfig(**{"dim": 8, **choices}), data, batch_size=32)


def _hakg(**choices) -> Callable[[Dataset], Recommender]:
    return lambda data: hakg(HAKGConfig(**choices), data, batch_size=32)


def _lightgcn(**choices) -> Callable[[Dataset], Recommender]:
    return lambda data: lightgcn(LightGCNConfig(dim=8, **choices), data, batch_size=32)


def _solved(build: Callable[..., Recommender], config: Any) -> Callable[[Dataset], Recommender]:
    return lambda data: build(config, data)


def _link(**choices: Any) -> Callable[[Dataset], Recommender]:
    return lambda data: link(LINKConfig(**choices), data, batch_size=32)


def _multvae() -> Callable[[Dataset], Recommender]:
    return lambda data: multvae(MultVAEConfig(dim=4, hidden=6), data, batch_size=32)


MODELS: dict[str, Callable[[Dataset], Recommender]] = {
    "hkrm": _hkrm(),
    "hkrm joint, full, per interaction, with bias": _hkrm(
        pooling="joint", relation="full", query_weight="interaction", item_bias=True
    ),
    "hkrm on drawn values": _hkrm(sampling="neighbours", fan_out=2),
    "hakg": _hakg(**SMALL),
    "hakg keeping all": _hakg(**SMALL, **WHOLE, normalize_layers=True),
    "hakg official": _hakg(**ONE_LAYER, **OFFICIAL),
    "hakg without dual items": _hakg(**ONE_LAYER, **WHOLE, dual_items=False),
    "hakg euclidean without gate": _hakg(**ONE_LAYER, **WHOLE, gate=False, message="euclidean", angle_pairs="both"),
    "hakg on neighbours": _hakg(**ONE_LAYER, sampling="neighbours", fan_outs=(3,), negative_pool=30),
    "lightgcn": _lightgcn(layers=2),
    "bpr-mf": _lightgcn(layers=0),
    "ease": _solved(ease, EASEConfig(neighbours=8)),
    "local edlae": _solved(ease, EDLAEConfig(candidates=6, user_power=0.25, item_power=0.2, target_power=0.1)),
    "item_knn": _solved(item_knn, ItemKNNConfig(neighbours=7)),
    "rp3beta": _solved(rp3beta, RP3betaConfig(neighbours=7)),
    "slim": _solved(slim, SLIMConfig(candidates=7, sweeps=5)),
    "ials": _solved(ials, IALSConfig(dim=4, rounds=3)),
    "link": _solved(link, LINKConfig(regression=0.5, candidates=5, content={"0": 0.1, "1/1": 0.2}, popularity=0.01)),
    "link with a learned part": _link(popularity=0.01, gate=0.1, dim=6, room=5, negatives=20),
    "multvae": _multvae(),
    "popularity": popularity,
    "balance and popularity": balance_and_popularity,
}
# Those whose steps differ by what each device drops.
OWN_DRAWS = (
    "link with a learned part",
    "multvae",
    "hkrm on drawn values",
    "hakg",
    "hakg official",
    "hakg on neighbours",
)
# One of each builder, for tests that need no more.
# Those that are solved.
SOLVED = ("ease", "local edlae", "item_knn", "rp3beta", "slim", "ials", "link")
ONE_OF_EACH = ("hkrm", "hakg keeping all", "lightgcn")
