"""Values of LINK's settings to choose among on the validation part, and the relations that can be content."""

import dataclasses
from typing import Any

import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.models.linear import spaces
from hkjax.models.linear.ease import MOST_FOR_DENSE
from hkjax.models.link.config import LINKConfig
from hkjax.models.link.content import shared_attributes

# A relation is content if this share of the items has one of its shared attributes; this many relations at most.
_LEAST_COVERAGE = 0.01
_MOST_RELATIONS = 8
_CONTENT = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_POPULARITY = (0.0, 3e-6, 1e-5, 2e-5, 3e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3)
_REGRESSION = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def link_space(config: LINKConfig, data: Dataset) -> dict[str, tuple[Any, ...]]:
    """Returns the values of each key; the keys of `content` are the relations that many items share."""
    knn, names = spaces.ITEM_KNN, config.content or content_relations(data)
    return {
        "shrinkage": knn["shrinkage"],
        "alpha": knn["alpha"],
        "popularity": _POPULARITY,
        **{f"content.{name}": _CONTENT for name in names},
        "user_power": knn["user_power"],
        "co_occurrence": (0.0, 1.0),
        "regression": _REGRESSION,
        **(
            {
                "l2": spaces.EASE["l2"],
                "regression_user_power": spaces.EASE["user_power"],
                "item_power": spaces.EASE["item_power"],
                "target_power": spaces.EASE["target_power"],
            }
            if config.regression
            else {}
        ),
        "neighbours": knn["neighbours"],
    }


def link_starts(config: LINKConfig, data: Dataset) -> list[LINKConfig]:
    """Returns the configuration, and one with EASE's part instead of ItemKNN's, which is better for dense data."""
    if config.regression or not config.co_occurrence:
        return [config]
    candidates = 0 if data.n_items <= MOST_FOR_DENSE else config.candidates
    return [config, dataclasses.replace(config, co_occurrence=0.0, regression=1.0, candidates=candidates)]


def link_parts(config: LINKConfig, data: Dataset) -> list[str]:
    """Returns the keys that are weights of parts of the sum."""
    content = [f"content.{name}" for name in config.content or content_relations(data)]
    return ["co_occurrence", *content, "regression", "popularity"]


def content_relations(data: Dataset) -> list[str]:
    """Returns the relations that can be content, those of most items first; of equal ones, such as inverses, one."""
    found: dict[bytes, tuple[int, str]] = {}
    for name in data.names.relations:
        rows = shared_attributes(data, name)
        covered = int((np.diff(rows.indptr) > 0).sum())
        if covered >= _LEAST_COVERAGE * data.n_items:
            found.setdefault(rows.indices.tobytes() + rows.indptr.tobytes(), (covered, name))
    best = sorted(found.values(), key=lambda relation: -relation[0])
    return [name for _, name in best[:_MOST_RELATIONS]]
