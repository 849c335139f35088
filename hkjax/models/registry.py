"""The models and baselines of the library, and all that is peculiar to one of them.

A new model is a folder or file of `hkjax.models`, an entry of `MODELS`, and its configuration in `ModelConfig`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hkjax.data.dataset import Dataset
from hkjax.models.base import Insight, Picture, Recommender, Representation
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.explain import hakg_insight
from hkjax.models.hakg.inputs import fewer_negatives
from hkjax.models.hakg.model import hakg
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.explain import explain_pair, hkrm_insight
from hkjax.models.hkrm.model import hkrm
from hkjax.models.hkrm.table_fields import choose_fields
from hkjax.models.item_based import ease, item_knn
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.models.popularity import balance_and_popularity, popularity

ModelConfig = HKRMConfig | HAKGConfig | LightGCNConfig


class TableDefaults(NamedTuple):
    """A model's settings for a person's tables, where no configuration is given.

    Attributes:
        batch_sizes: the least and the largest batch size; between them an epoch has 64 steps.
        learning_rate: of the optimiser.
        patience: epochs without a better validation metric after which training stops.
        choose: (config, data) -> settings that follow from the data, by the configuration's keys.
    """

    batch_sizes: tuple[int, int] = (64, 4096)
    learning_rate: float = 0.003
    patience: int = 10
    choose: Callable[[Any, Dataset], Mapping[str, Any]] = lambda config, data: {}


class Model(NamedTuple):
    """A model as the library knows it.

    Attributes:
        build: (config, data, batch size) -> recommender.
        title: its name in sentences.
        insight: (recommender, representation, data) -> what its report shows besides the metrics.
        picture_pair: (representation, data, user, item) -> a picture of one pair; None where the model has none.
        learns_from_negatives: whether it needs train rows of both labels; they are drawn where there are none.
        advice: a sentence for its report where the model is below popularity.
        tables: its settings for tables.
    """

    build: Callable[[Any, Dataset, int], Recommender]
    title: str
    insight: Callable[[Recommender, Representation, Dataset], Insight] = lambda *_: Insight()
    picture_pair: Callable[[Any, Dataset, int, int], Picture] | None = None
    learns_from_negatives: bool = False
    advice: str = ""
    tables: TableDefaults = TableDefaults()


# The first is the default of a configuration.
MODELS: dict[type, Model] = {
    HKRMConfig: Model(
        hkrm,
        "HKRM",
        hkrm_insight,
        explain_pair,
        learns_from_negatives=True,
        advice="It should learn from drawn negatives, not from dislikes.",
        tables=TableDefaults((64, 1024), learning_rate=0.01, patience=5, choose=choose_fields),
    ),
    HAKGConfig: Model(hakg, "HAKG", hakg_insight, tables=TableDefaults(choose=fewer_negatives)),
    LightGCNConfig: Model(lightgcn, "LightGCN"),
}

CONFIGS: dict[str, type] = {config().name: config for config in MODELS}


class Baseline(NamedTuple):
    """A recommender that a report shows beside the model.

    Attributes:
        build: (data) -> recommender; None where it does not suit the data.
        title: its name in sentences.
        ranks_only: its scores only rank, and are no logits.
    """

    build: Callable[[Dataset], Recommender | None]
    title: str
    ranks_only: bool = False


BASELINES = {
    "popularity": Baseline(popularity, "popularity"),
    "balance_and_popularity": Baseline(balance_and_popularity, "balance and popularity"),
    "item_knn": Baseline(item_knn, "ItemKNN", ranks_only=True),
    "ease": Baseline(ease, "EASE", ranks_only=True),
}
