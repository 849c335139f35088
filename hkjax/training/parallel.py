"""One training step on many devices: under jax.pmap or jax.shard_map, over the same named axis.

Every device holds its lanes of each batch, what `Recommender.split` gives it of the graph, and the
parameters and the optimiser's state, whole or with its rows of the embedding tables alone. It takes
the gradient of the loss of its share; the mean over the devices is the gradient of the whole, also
through the sums over devices inside the loss: reverse-mode differentiation sums the cotangents of
such a sum over the devices, and so each device finds the gradient of all devices' losses with respect
to its own copy of the parameters.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import optax

from hkjax.data.sampling import divide_batches, divide_order, shuffle
from hkjax.errors import InputError
from hkjax.models.base import AXIS, Batch, Inputs, Metrics, Params, Recommender
from hkjax.training.placement import Placement, put
from hkjax.training.state import TrainState, create_state
from hkjax.training.step import stretch

Parallel = Literal["pmap", "shard_map", "none"]


class Runner(NamedTuple):
    """The training steps, compiled for the devices at hand.

    Attributes:
        init: (key) -> state.
        shuffle: (key) -> an epoch's order of the examples.
        run: (state, order, n_steps, key) -> state, the next `n_steps` steps in that order. The old
            state is donated. `n_steps` is traced, so that all stretches share one compilation, and
            the result does not depend on how an epoch is cut into stretches.
        params: (state) -> its parameters, as `recommender` takes them.
        recommender: the model for evaluation: on one device of this process, or, where tables are
            sharded, on all (see `Placement.recommender`).
        shard_embeddings: whether tables are sharded where there are several devices.
    """

    init: Callable[[jax.Array], TrainState]
    shuffle: Callable[[jax.Array], jax.Array]
    run: Callable[[TrainState, jax.Array, jax.Array, jax.Array], TrainState]
    params: Callable[[TrainState], Params]
    recommender: Recommender
    shard_embeddings: bool = False


def make_runner(
    recommender: Recommender,
    optimizer: optax.GradientTransformation,
    parallel: Parallel = "none",
    shard_embeddings: bool = False,
    devices: Sequence[jax.Device] | None = None,
) -> Runner:
    """Compiles the training steps of a model.

    Args:
        recommender: what to train.
        optimizer: how to descend.
        parallel: over all devices under `pmap` or, with several processes or sharded tables in any
            case, `shard_map`; on one device, and for `none`, under plain jit.
        shard_embeddings: divide the embedding tables and the optimiser's moments by rows; no effect on
            one device.
        devices: which; all if absent.

    Raises:
        InputError: the batch can't be divided evenly among the devices, or the tables are to be
            sharded where there is to be no division or the model has none.
    """
    devices = jax.devices() if devices is None else devices
    if parallel == "none" and shard_embeddings:
        raise InputError("shard_embeddings: needs parallel=pmap or shard_map, found none")
    if parallel == "none" or len(devices) == 1:
        return _on_one_device(recommender, optimizer)._replace(shard_embeddings=shard_embeddings)
    if recommender.batches.batch_size % len(devices):
        raise InputError(
            f"training.batch_size {recommender.batches.batch_size}: not divisible by {len(devices)} devices"
        )
    return _on_many_devices(recommender, optimizer, parallel, shard_embeddings, devices)


def _on_one_device(recommender: Recommender, optimizer: optax.GradientTransformation) -> Runner:
    gradient = jax.grad(recommender.loss, has_aux=True)
    compiled = jax.jit(partial(stretch, gradient=gradient, optimizer=optimizer), donate_argnums=0)
    return Runner(
        init=jax.jit(partial(create_state, recommender, optimizer)),
        shuffle=partial(jax.jit(shuffle), recommender.batches),
        run=lambda state, *args: compiled(state, recommender.inputs, recommender.batches, *args),
        params=lambda state: state.params,
        recommender=recommender,
    )


def _on_many_devices(
    recommender: Recommender,
    optimizer: optax.GradientTransformation,
    parallel: Parallel,
    shard_embeddings: bool,
    devices: Sequence[jax.Device],
) -> Runner:
    n = len(devices)
    placement = Placement(recommender, devices, shard_embeddings)
    batches, batch_axes = divide_batches(recommender.batches, n)

    def create(key: jax.Array) -> TrainState:
        return placement.fill_up(create_state(recommender, optimizer, key))

    held = (placement.inputs, placement.put(batches, batch_axes))
    axes = (placement.axes, batch_axes, 0, None, None)
    function = partial(stretch, gradient=_gradient(placement), optimizer=optimizer)
    shape = jax.eval_shape(create, jax.random.key(0))
    # Arrays of a pmap over several processes belong to one of them and can't be saved as a whole.
    if parallel == "pmap" and jax.process_count() == 1 and not shard_embeddings:
        compiled = jax.pmap(function, AXIS, in_axes=(None, *axes), out_axes=None, donate_argnums=0, devices=devices)
    else:
        specs = placement.specs(shape)
        compiled = jax.jit(placement.on_shares(function, specs, axes, specs), donate_argnums=0)
    whole = placement.whole
    init = jax.jit(create, out_shardings=placement.shardings(shape))
    order = jax.jit(lambda batches, key: divide_order(shuffle(batches, key), n), out_shardings=placement.divided)

    def params(state: TrainState) -> Params:
        if shard_embeddings:
            return state.params
        return jax.tree.map(lambda x: x.addressable_data(0), state.params)

    return Runner(
        init=lambda key: init(put(key, whole)),
        shuffle=lambda key: order(held[1], put(key, whole)),
        run=lambda state, order, n_steps, key: compiled(state, *held, order, put(n_steps, whole), put(key, whole)),
        params=params,
        recommender=placement.recommender if shard_embeddings else recommender,
        shard_embeddings=shard_embeddings,
    )


def _gradient(placement: Placement) -> Callable[..., tuple[Params, Metrics]]:
    """The mean over the devices of the gradients and metrics of their shares."""

    def gradient(params: Params, inputs: Inputs, batch: Batch, key: jax.Array) -> tuple[Params, Metrics]:
        gradients, metrics = jax.grad(placement.loss, has_aux=True)(params, inputs, batch, key)
        return placement.average(gradients), jax.lax.pmean(metrics, AXIS)

    return gradient
