from functools import partial

import jax
import jax.numpy as jnp
import optax
import pytest

from hkjax.training.state import TrainState
from hkjax.training.step import train_step


@pytest.mark.parametrize(("platform", "n_tables"), [("tpu", 2), ("cpu", 0)])
def test_on_a_tpu_gradients_of_tables_lie_by_columns_as_tables_do(platform, n_tables):
    params, optimizer = {"user": jnp.ones((7, 3)), "item": jnp.ones((5, 3)), "bias": jnp.ones(5)}, optax.adam(1e-3)
    state = TrainState(jnp.int32(0), params, optimizer.init(params), {})

    def gradient(params, inputs, batch, key):
        return params, {}

    step = jax.jit(partial(train_step, gradient=gradient, optimizer=optimizer))
    lowered = step.trace(state, (), (), jax.random.key(0)).lower(lowering_platforms=(platform,))
    assert lowered.as_text().count("LayoutConstraint") == n_tables
