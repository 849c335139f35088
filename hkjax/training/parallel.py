"""One training step on many devices: under jax.pmap or jax.shard_map, over the same named axis.

Every device holds the parameters and the optimiser's state whole, its lanes of each batch, and what
`Recommender.split` gives it of the graph. It takes the gradient of the loss of its share; the mean
over the devices is the gradient of the whole, also through the sums over devices inside the loss:
reverse-mode differentiation sums the cotangents of such a sum over the devices, and so each device
finds the gradient of all devices' losses with respect to its own copy of the parameters.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from hkjax.data.sampling import divide_batches, divide_order
from hkjax.errors import InputError
from hkjax.models.base import AXIS, Recommender, split
from hkjax.training.state import TrainState
from hkjax.training.step import stretch

Parallel = Literal["pmap", "shard_map", "none"]


class Runner(NamedTuple):
    """The training steps, compiled for the devices at hand.

    Attributes:
        place: puts a state where `run` wants it.
        run: (state, order, n_steps, key) -> state, the next `n_steps` steps on the batches that
            `order` (see `sampling.shuffle`) gives for this epoch. The old state is donated.
            `n_steps` is traced, so that all stretches share one compilation, and the result does
            not depend on how an epoch is cut into stretches.
    """

    place: Callable[[TrainState], TrainState]
    run: Callable[[TrainState, jax.Array, jax.Array, jax.Array], TrainState]


def make_runner(
    recommender: Recommender,
    optimizer: optax.GradientTransformation,
    parallel: Parallel = "none",
    devices: Sequence[jax.Device] | None = None,
) -> Runner:
    """Compiles the training steps of a model.

    Args:
        recommender: what to train.
        optimizer: how to descend.
        parallel: over all devices under `pmap` or, with several processes in any case, `shard_map`;
            on one device, and for `none`, under plain jit.
        devices: which; all if absent.

    Raises:
        InputError: the batch can't be divided evenly among the devices.
    """
    devices = jax.devices() if devices is None else devices
    if parallel == "none" or len(devices) == 1:
        return _on_one_device(recommender, optimizer)
    batches, n = recommender.batches, len(devices)
    if batches.batch_size % n:
        raise InputError(f"training.batch_size {batches.batch_size}: not divisible by {n} devices")
    shares, (batches, batch_axes) = split(recommender, n), divide_batches(batches, n)
    mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
    whole, divided = NamedSharding(mesh, P()), NamedSharding(mesh, P(AXIS))
    place_whole, place_divided = partial(_put, sharding=whole), partial(_put, sharding=divided)

    def spread(tree: Any, axes: Any) -> Any:
        return _map_by_axis(lambda axis, x: place_whole(x) if axis is None else place_divided(x), axes, tree)

    held = (spread(shares.inputs, shares.axes), spread(batches, batch_axes))
    axes = (None, shares.axes, batch_axes, 0, None, None)
    function = partial(stretch, loss=shares.loss, optimizer=optimizer, axis=AXIS)
    # Arrays of a pmap over several processes belong to one of them and can't be saved as a whole.
    if parallel == "pmap" and jax.process_count() == 1:
        compiled = jax.pmap(function, AXIS, in_axes=axes, out_axes=None, donate_argnums=0, devices=devices)
    else:
        compiled = _shard_map(function, mesh, axes)

    def run(state: TrainState, order: jax.Array, n_steps: jax.Array, key: jax.Array) -> TrainState:
        return compiled(state, *held, place_divided(divide_order(order, n)), place_whole(n_steps), place_whole(key))

    return Runner(partial(jax.tree.map, place_whole), run)


def _put(x: jax.Array, sharding: NamedSharding) -> jax.Array:
    """Places an array that every process holds, without sharing its buffers."""
    if jax.process_count() == 1:
        return jax.device_put(x, sharding, may_alias=False)
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
    host = np.asarray(x)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _on_one_device(recommender: Recommender, optimizer: optax.GradientTransformation) -> Runner:
    compiled = jax.jit(partial(stretch, loss=recommender.loss, optimizer=optimizer), donate_argnums=0)

    def run(state: TrainState, order: jax.Array, n_steps: jax.Array, key: jax.Array) -> TrainState:
        return compiled(state, recommender.inputs, recommender.batches, order, n_steps, key)

    return Runner(lambda state: state, run)


def _shard_map(function: Callable, mesh: Mesh, axes: tuple) -> Callable:
    """As jax.pmap with `axes`; a device sees its share without the leading axis."""

    def on_shares(*args: Any) -> TrainState:
        return function(*_map_by_axis(lambda axis, x: x if axis is None else x[0], axes, args))

    specs = jax.tree.map(lambda axis: P() if axis is None else P(AXIS), axes, is_leaf=lambda x: x is None)
    # With check_vma the gradients of replicated parameters would arrive summed already.
    mapped = jax.shard_map(on_shares, mesh=mesh, in_specs=specs, out_specs=P(), check_vma=False)
    return jax.jit(mapped, donate_argnums=0)


def _map_by_axis(function: Callable[[int | None, Any], Any], axes: Any, tree: Any) -> Any:
    """Maps (axis, leaf) over a pytree, whose axes (0 or None) may each stand for a whole branch."""

    def branch(axis: int | None, branch: Any) -> Any:
        return jax.tree.map(partial(function, axis), branch)

    return jax.tree.map(branch, axes, tree, is_leaf=lambda x: x is None)
