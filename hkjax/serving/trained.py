"""A trained model, ready to answer."""

from typing import NamedTuple

import jax
import numpy as np

from hkjax.data.blocks import group_by
from hkjax.data.dataset import Dataset
from hkjax.models.base import Params, Recommender, Representation


class TrainedModel(NamedTuple):
    """A trained model, ready to recommend.

    Attributes:
        data: the data set; its names are how users and items are called.
        recommender, params: the model.
        representation: what `encode` makes of the parameters.
    """

    data: Dataset
    recommender: Recommender
    params: Params
    representation: Representation


def load_model(data: Dataset, recommender: Recommender, params: Params) -> TrainedModel:
    """Computes the representation, once for all recommendations."""
    return TrainedModel(data, recommender, params, jax.jit(recommender.encode)(params, recommender.inputs))


def user_histories(data: Dataset) -> list[np.ndarray]:
    """The positive train items of every user."""
    positives = data.train.positives()
    return group_by(positives.items, positives.users, data.n_users)
