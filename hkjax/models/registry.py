"""The one place that knows which models there are.

A new model is a folder or file of `hkjax.models`, an entry of `MODELS`, and its configuration in `ModelConfig`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from hkjax.data.dataset import Dataset
from hkjax.models.base import Insight, Picture, Recommender, Representation
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.explain import hakg_insight
from hkjax.models.hakg.model import hakg
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.explain import explain_pair, hkrm_insight
from hkjax.models.hkrm.model import hkrm
from hkjax.models.item_based import ease, item_knn
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.models.popularity import balance_and_popularity, popularity

ModelConfig = HKRMConfig | HAKGConfig | LightGCNConfig


class Model(NamedTuple):
    """A model as the library knows it.

    Attributes:
        build: (config, data, batch size) -> recommender.
        insight: (recommender, representation, data) -> what its report shows besides the metrics.
        picture_pair: (representation, data, user, item) -> a picture of one pair; None where the model has none.
        learns_from_negatives: whether it needs train rows of both labels; they are drawn where there are none.
    """

    build: Callable[[Any, Dataset, int], Recommender]
    insight: Callable[[Recommender, Representation, Dataset], Insight] = lambda *_: Insight()
    picture_pair: Callable[[Any, Dataset, int, int], Picture] | None = None
    learns_from_negatives: bool = False


MODELS: dict[type, Model] = {
    HKRMConfig: Model(hkrm, hkrm_insight, explain_pair, learns_from_negatives=True),
    HAKGConfig: Model(hakg, hakg_insight),
    LightGCNConfig: Model(lightgcn),
}


class Baseline(NamedTuple):
    """What a report shows beside the model.

    Attributes:
        build: (data) -> recommender; None where it does not suit the data.
        ranks_only: its scores only rank, and are no logits.
    """

    build: Callable[[Dataset], Recommender | None]
    ranks_only: bool = False


BASELINES = {
    "popularity": Baseline(popularity),
    "balance_and_popularity": Baseline(balance_and_popularity),
    "item_knn": Baseline(item_knn, ranks_only=True),
    "ease": Baseline(ease, ranks_only=True),
}
