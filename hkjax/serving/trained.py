"""Trained models, and the histories of their users."""

from typing import NamedTuple

import jax
import numpy as np

from hkjax.data.blocks import group_by
from hkjax.data.dataset import Dataset
from hkjax.models.base import Params, Recommender, Representation


class TrainedModel(NamedTuple):
    """A trained model, ready to recommend.

    Attributes:
        data: the data set, with the names of users and items.
        recommender, params: the model.
        representation: the result of `encode`.
    """

    data: Dataset
    recommender: Recommender
    params: Params
    representation: Representation


def load_model(data: Dataset, recommender: Recommender, params: Params) -> TrainedModel:
    """Computes the representation, once for all recommendations."""
    return TrainedModel(data, recommender, params, jax.jit(recommender.encode)(params, recommender.inputs))


def user_histories(data: Dataset) -> list[np.ndarray]:
    """Returns the positive train items of every user."""
    positives = data.train.positives()
    return group_by(positives.items, positives.users, data.n_users)
