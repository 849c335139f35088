"""Training steps, run in whole stretches on the device."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from hkjax.data.sampling import Batches, take
from hkjax.models.base import Batch, Inputs, Metrics, Params
from hkjax.training.state import TrainState


def train_step(
    state: TrainState,
    inputs: Inputs,
    batch: Batch,
    key: jax.Array,
    *,
    gradient: Callable[..., tuple[Params, Metrics]],
    optimizer: optax.GradientTransformation,
) -> TrainState:
    """Takes one step: gradients of the loss on `batch`, with randomness from `key` and the step's number.

    Args:
        state: where training stands.
        inputs, batch: what `gradient` takes.
        key: PRNG key, the same in every step.
        gradient: (params, inputs, batch, key) -> (gradients, metrics).
        optimizer: how to descend.
    """
    gradients, metrics = gradient(state.params, inputs, batch, jax.random.fold_in(key, state.step))
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, opt_state, jax.tree.map(jnp.add, state.sums, metrics))


def stretch(
    state: TrainState,
    inputs: Inputs,
    batches: Batches,
    order: jax.Array,
    n_steps: jax.Array,
    key: jax.Array,
    **options: Any,
) -> TrainState:
    """Takes the next `n_steps` steps of an epoch from where `state` stands; the options are `train_step`'s."""
    first = state.step % batches.steps_per_epoch

    def step(i: jax.Array, state: TrainState) -> TrainState:
        return train_step(state, inputs, take(batches, order, i), key, **options)

    return jax.lax.fori_loop(first, first + n_steps, step, state)
