"""Training steps, many in one device call."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from hkjax.data.batching import Batches, get_batch
from hkjax.models.base import Batch, Inputs, Metrics, Params
from hkjax.ops.lowerings.layout import laid_by_columns
from hkjax.training.state import TrainState

Gradient = Callable[[Params, Inputs, Batch, jax.Array], tuple[Params, Metrics]]


def train_step(
    state: TrainState,
    inputs: Inputs,
    batch: Batch,
    key: jax.Array,
    *,
    gradient: Gradient,
    optimizer: optax.GradientTransformation,
) -> TrainState:
    """Takes one step, with randomness from `key` and `state.step`.

    Args:
        state: the state before the step.
        inputs, batch: arguments of `gradient`.
        key: PRNG key, the same in every step.
        gradient: (params, inputs, batch, key) -> (gradients by the trained parameters, metrics).
        optimizer: the optax transformation.
    """
    gradients, metrics = gradient(state.params, inputs, batch, jax.random.fold_in(key, state.step))
    # Without this the loop would carry the state in row layout, which TPUs pad.
    gradients = jax.tree.map(laid_by_columns, gradients)
    with jax.named_scope("optimiser"):
        # What is solved has no gradient, and stays.
        some = isinstance(state.params, dict) and gradients.keys() < state.params.keys()
        trained = {name: state.params[name] for name in gradients} if some else state.params
        updates, opt_state = optimizer.update(gradients, state.opt_state, trained)
        params = optax.apply_updates(trained, updates)
        params = {**state.params, **params} if some else params
    return TrainState(state.step + 1, params, opt_state, jax.tree.map(jnp.add, state.metric_sums, metrics))


def train_steps(
    state: TrainState,
    inputs: Inputs,
    batches: Batches,
    order: jax.Array,
    n_steps: jax.Array,
    key: jax.Array,
    **options: Any,
) -> TrainState:
    """Takes the next `n_steps` steps of an epoch after `state.step`; the options are those of `train_step`."""
    first = state.step % batches.steps_per_epoch

    def step(i: jax.Array, state: TrainState) -> TrainState:
        return train_step(state, inputs, get_batch(batches, order, i), key, **options)

    return jax.lax.fori_loop(first, first + n_steps, step, state)
