"""The state of training, and the optimiser that changes it."""

import dataclasses
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import struct

from hkjax.data.batching import get_batch
from hkjax.models.base import Metrics, Params, Recommender, trained_params
from hkjax.ranges import Checked, Range


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Checked):
    """The optimiser.

    Attributes:
        name: `adam` or `sgd`, of optax.
        learning_rate: the step size.
        decay_epochs: number of epochs over which the learning rate falls along a half cosine to 0;
            0 keeps it constant.
    """

    name: Literal["adam", "sgd"] = "adam"
    learning_rate: Annotated[float, Range(above=0)] = 0.005
    decay_epochs: Annotated[int, Range(low=0)] = 0


class TrainState(struct.PyTreeNode):
    """The state that a step updates and a checkpoint holds.

    Attributes:
        step: int32 [], steps taken since the start.
        params: the model's parameters.
        opt_state: the optimiser's state.
        metric_sums: the metrics summed over the current epoch's steps.
    """

    step: jax.Array
    params: Params
    opt_state: Any
    metric_sums: Metrics


def make_optimizer(config: OptimizerConfig, steps_per_epoch: int) -> optax.GradientTransformation:
    """Builds the optax transformation."""
    rate: optax.ScalarOrSchedule = config.learning_rate
    if config.decay_epochs:
        rate = optax.cosine_decay_schedule(config.learning_rate, config.decay_epochs * steps_per_epoch)
    return {"adam": optax.adam, "sgd": optax.sgd}[config.name](rate)


def create_state(recommender: Recommender, optimizer: optax.GradientTransformation, key: jax.Array) -> TrainState:
    """Initialises parameters and optimiser; pure, to be jitted or only evaluated for its shapes."""
    params = recommender.init(key)
    batch = jax.eval_shape(lambda b: get_batch(b, b.buckets, 0), recommender.batches)
    _, metrics = jax.eval_shape(recommender.loss, params, recommender.inputs, batch, key)
    metric_sums = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), metrics)
    moments = optimizer.init(trained_params(recommender, params))
    return TrainState(jnp.zeros((), jnp.int32), params, moments, metric_sums)
