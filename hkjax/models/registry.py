"""The models and baselines of the library, and all that is peculiar to one of them.

A new model is a folder or file of `hkjax.models`, an entry of `MODELS`, and its configuration in `ModelConfig`.
"""

from collections.abc import Callable, Mapping, Sequence
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
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.models.linear import spaces
from hkjax.models.linear.config import EASEConfig, EDLAEConfig, IALSConfig, ItemKNNConfig, RP3betaConfig, SLIMConfig
from hkjax.models.linear.ease import ease
from hkjax.models.linear.ials import ials
from hkjax.models.linear.neighbours import item_knn, rp3beta
from hkjax.models.linear.slim import slim
from hkjax.models.link.config import LINKConfig
from hkjax.models.link.model import link
from hkjax.models.link.space import link_parts, link_space, link_starts
from hkjax.models.multvae import MultVAEConfig, multvae
from hkjax.models.popularity import balance_and_popularity, popularity

LinearConfig = LINKConfig | EASEConfig | EDLAEConfig | ItemKNNConfig | RP3betaConfig | SLIMConfig | IALSConfig
ModelConfig = HKRMConfig | HAKGConfig | LinearConfig | MultVAEConfig | LightGCNConfig


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
        build: (config, data, batch size) -> recommender; of a model with a `space` also (..., remember), which keeps
            intermediate results of the data set.
        title: its name in sentences.
        insight: (recommender, representation, data) -> what its report shows besides the metrics.
        picture_pair: (representation, data, user, item) -> a picture of one pair; None where the model has none.
        learns_from_negatives: whether it needs train rows of both labels; they are drawn where there are none.
        advice: a sentence for its report where the model is below popularity.
        tables: its settings for tables.
        space: (config, data) -> ascending values to choose among on the validation part, by the configuration's keys;
            empty for a model that is not tuned in this way.
        starts: (config, data) -> configurations from the best of which a search starts.
        parts: (config, data) -> those keys of `space` that are weights of the parts of a sum.
        ranks_only: its scores only rank, and are no logits.
    """

    build: Callable[..., Recommender]
    title: str
    insight: Callable[[Recommender, Representation, Dataset], Insight] = lambda *_: Insight()
    picture_pair: Callable[[Any, Dataset, int, int], Picture] | None = None
    learns_from_negatives: bool = False
    advice: str = ""
    tables: TableDefaults = TableDefaults()
    space: Callable[[Any, Dataset], Mapping[str, Sequence[Any]]] = lambda config, data: {}
    starts: Callable[[Any, Dataset], Sequence[Any]] = lambda config, data: (config,)
    parts: Callable[[Any, Dataset], Sequence[str]] = lambda config, data: ()
    ranks_only: bool = False


# Models with a `space` search it first.
_SEARCHED = TableDefaults(choose=lambda config, data: {"model.search": spaces.SECONDS})


def _linear(build: Any, title: str, space: spaces.Space, tables: TableDefaults = _SEARCHED) -> Model:
    return Model(build, title, tables=tables, space=lambda config, data: space, ranks_only=True)


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
    MultVAEConfig: Model(multvae, "MultVAE", tables=TableDefaults((64, 512), learning_rate=0.001), ranks_only=True),
    LINKConfig: Model(
        link,
        "LINK",
        tables=_SEARCHED,
        space=link_space,
        starts=link_starts,
        parts=link_parts,
        ranks_only=True,
    ),
    EASEConfig: _linear(ease, "EASE", spaces.EASE, TableDefaults(choose=spaces.choose_candidates)),
    EDLAEConfig: _linear(ease, "EDLAE", spaces.EDLAE, TableDefaults(choose=spaces.choose_candidates)),
    ItemKNNConfig: _linear(item_knn, "ItemKNN", spaces.ITEM_KNN),
    RP3betaConfig: _linear(rp3beta, "RP3beta", spaces.RP3BETA),
    SLIMConfig: _linear(slim, "SLIM", spaces.SLIM),
    IALSConfig: _linear(ials, "iALS", spaces.IALS),
}

CONFIGS: dict[str, type] = {config().name: config for config in MODELS}


class Baseline(NamedTuple):
    """A recommender without choices that a report shows beside the model.

    Attributes:
        build: (data) -> recommender; None where it does not suit the data.
        title: its name in sentences.
    """

    build: Callable[[Dataset], Recommender | None]
    title: str


BASELINES = {
    "popularity": Baseline(popularity, "popularity"),
    "balance_and_popularity": Baseline(balance_and_popularity, "balance and popularity"),
}
# Models that a report tunes, fits and shows beside any other.
RIVALS: tuple[ModelConfig, ...] = (ItemKNNConfig(), EASEConfig())
