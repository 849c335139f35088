"""The state of training, and the optimiser that moves it."""

import dataclasses
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import struct

from hkjax.data.sampling import take
from hkjax.models.base import Metrics, Params, Recommender
from hkjax.ranges import Checked, Range


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Checked):
    """How to descend.

    Attributes:
        name: the optax optimiser.
        learning_rate: its step size.
        decay_epochs: let the learning rate fall along a half cosine to 0 over so many epochs; 0
            keeps it constant.
    """

    name: Literal["adam", "sgd"] = "adam"
    learning_rate: Annotated[float, Range(above=0)] = 0.005
    decay_epochs: Annotated[int, Range(low=0)] = 0


class TrainState(struct.PyTreeNode):
    """What a step changes, and a checkpoint holds.

    Attributes:
        step: int32 [], steps taken since the start.
        params: the model's parameters.
        opt_state: the optimiser's state.
        sums: the metrics summed over the current epoch's steps.
    """

    step: jax.Array
    params: Params
    opt_state: Any
    sums: Metrics


def make_optimizer(config: OptimizerConfig, steps_per_epoch: int) -> optax.GradientTransformation:
    """Builds the optax transformation."""
    rate: optax.ScalarOrSchedule = config.learning_rate
    if config.decay_epochs:
        rate = optax.cosine_decay_schedule(config.learning_rate, config.decay_epochs * steps_per_epoch)
    return {"adam": optax.adam, "sgd": optax.sgd}[config.name](rate)


def create_state(recommender: Recommender, optimizer: optax.GradientTransformation, key: jax.Array) -> TrainState:
    """Initialises parameters and optimiser; pure, to be jitted or only evaluated for its shapes."""
    params = recommender.init(key)
    batch = jax.eval_shape(lambda b: take(b, b.strata, 0), recommender.batches)
    _, metrics = jax.eval_shape(recommender.loss, params, recommender.inputs, batch, key)
    sums = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), metrics)
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), sums)
