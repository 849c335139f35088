"""Training steps, run in whole stretches on the device."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax

from hkjax.data.sampling import Batches, take
from hkjax.models.base import Batch, Inputs, Recommender
from hkjax.training.state import TrainState

Stretch = Callable[[TrainState, Inputs, Batches, jax.Array, jax.Array, jax.Array], TrainState]


def train_step(
    state: TrainState,
    inputs: Inputs,
    batch: Batch,
    key: jax.Array,
    *,
    recommender: Recommender,
    optimizer: optax.GradientTransformation,
) -> TrainState:
    """Takes one step: gradients of the loss on `batch`, with randomness from `key` and the step's number."""
    loss = jax.grad(recommender.loss, has_aux=True)
    gradients, metrics = loss(state.params, inputs, batch, jax.random.fold_in(key, state.step))
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, opt_state, jax.tree.map(jnp.add, state.sums, metrics))


def make_stretch(recommender: Recommender, optimizer: optax.GradientTransformation) -> Stretch:
    """Compiles the loop over any stretch of an epoch.

    Returns:
        (state, inputs, batches, order, n_steps, key) -> state: takes the next `n_steps` steps from
        where `state` stands, on the batches that `order` (see `sampling.shuffle`) gives for this
        epoch. The old state is donated. `n_steps` is traced, so that all stretches share one
        compilation, and the result does not depend on how an epoch is cut into stretches.
    """
    step = partial(train_step, recommender=recommender, optimizer=optimizer)

    @partial(jax.jit, donate_argnums=0)
    def stretch(
        state: TrainState, inputs: Inputs, batches: Batches, order: jax.Array, n_steps: jax.Array, key: jax.Array
    ) -> TrainState:
        first = state.step % batches.steps_per_epoch
        return jax.lax.fori_loop(
            first, first + n_steps, lambda i, state: step(state, inputs, take(batches, order, i), key), state
        )

    return stretch
