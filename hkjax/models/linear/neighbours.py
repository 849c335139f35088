"""ItemKNN and RP3beta: the weights of neighbours, from counts of common users."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.data.dataset import Dataset
from hkjax.models.base import Recommender
from hkjax.models.linear.config import ItemKNNConfig, RP3betaConfig
from hkjax.models.linear.equations import knn_weight, rp3beta_weight
from hkjax.models.linear.gram import Gram, gram_and_numbers, top_neighbours
from hkjax.models.linear.memory import Remember, compute_anew
from hkjax.models.linear.model import item_model
from hkjax.ops.lists import Neighbours


def item_knn(
    config: ItemKNNConfig, data: Dataset, batch_size: int = 0, remember: Remember = compute_anew
) -> Recommender:
    """Builds ItemKNN from the positives of train; the batch size counts for nothing."""
    del batch_size
    numbers = jnp.array([config.alpha, config.shrinkage])
    arguments = partial(gram_and_numbers, remember, data, config.user_power, numbers)
    return item_model(data, arguments, _solve_knn, config.neighbours, {"k": config.neighbours})


def rp3beta(
    config: RP3betaConfig, data: Dataset, batch_size: int = 0, remember: Remember = compute_anew
) -> Recommender:
    """Builds RP3beta from the positives of train; the batch size counts for nothing."""
    del batch_size
    arguments = partial(gram_and_numbers, remember, data, config.alpha, jnp.array([config.alpha, config.beta]))
    return item_model(data, arguments, _solve_rp3beta, config.neighbours, {"k": config.neighbours})


def knn_neighbours(gram: Gram, k: int, alpha: jax.Array, shrinkage: jax.Array) -> Neighbours:
    """Computes ItemKNN's k largest weights of each target."""
    return top_neighbours(gram, k, _knn, gram.degree, alpha, shrinkage)


def rp3beta_neighbours(gram: Gram, k: int, alpha: jax.Array, beta: jax.Array) -> Neighbours:
    """Computes RP3beta's k largest weights of each target."""
    return top_neighbours(gram, k, _rp3beta, gram.degree, alpha, beta)


def _knn(g: jax.Array, i: jax.Array, j: jax.Array, d: jax.Array, alpha: jax.Array, shrinkage: jax.Array) -> jax.Array:
    return knn_weight(g, d[i], d[j], alpha, shrinkage)


def _rp3beta(g: jax.Array, i: jax.Array, j: jax.Array, d: jax.Array, alpha: jax.Array, beta: jax.Array) -> jax.Array:
    return rp3beta_weight(g, d[i], d[j], alpha, beta)


@partial(jax.jit, static_argnames="k")
def _solve_knn(inputs: dict[str, Any], k: int) -> Neighbours:
    return knn_neighbours(inputs["gram"], k, *inputs["numbers"])


@partial(jax.jit, static_argnames="k")
def _solve_rp3beta(inputs: dict[str, Any], k: int) -> Neighbours:
    return rp3beta_neighbours(inputs["gram"], k, *inputs["numbers"])
