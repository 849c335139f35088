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
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from hkjax.data.sampling import divide_batches, divide_order, shuffle
from hkjax.errors import InputError
from hkjax.models.base import AXIS, Batch, Inputs, Metrics, Params, Recommender, Shares, split
from hkjax.training.state import TrainState, create_state
from hkjax.training.step import stretch
from hkjax.training.tables import Tables

Parallel = Literal["pmap", "shard_map", "none"]


class Runner(NamedTuple):
    """The training steps, compiled for the devices at hand.

    Attributes:
        init: (key) -> state.
        shuffle: (key) -> an epoch's order of the examples.
        run: (state, order, n_steps, key) -> state, the next `n_steps` steps in that order. The old
            state is donated. `n_steps` is traced, so that all stretches share one compilation, and
            the result does not depend on how an epoch is cut into stretches.
        params: (state) -> its parameters, whole and on one device of this process.
    """

    init: Callable[[jax.Array], TrainState]
    shuffle: Callable[[jax.Array], jax.Array]
    run: Callable[[TrainState, jax.Array, jax.Array, jax.Array], TrainState]
    params: Callable[[TrainState], Params]


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
        shard_embeddings: divide the embedding tables and the optimiser's moments by rows.
        devices: which; all if absent.

    Raises:
        InputError: the batch can't be divided evenly among the devices, or there is to be no
            division and the tables are to be sharded.
    """
    devices = jax.devices() if devices is None else devices
    if parallel == "none" and shard_embeddings:
        raise InputError("shard_embeddings: needs parallel=pmap or shard_map, found none")
    if parallel == "none" or len(devices) == 1:
        return _on_one_device(recommender, optimizer)
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
    )


def _on_many_devices(
    recommender: Recommender,
    optimizer: optax.GradientTransformation,
    parallel: Parallel,
    shard_embeddings: bool,
    devices: Sequence[jax.Device],
) -> Runner:
    n = len(devices)
    shares, (batches, batch_axes) = split(recommender, n), divide_batches(recommender.batches, n)
    mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
    whole, divided = NamedSharding(mesh, P()), NamedSharding(mesh, P(AXIS))
    tables = Tables(jax.eval_shape(recommender.init, jax.random.key(0)), n if shard_embeddings else 1)

    def create(key: jax.Array) -> TrainState:
        return jax.tree.map(tables.fill_up, create_state(recommender, optimizer, key))

    def place(tree: Any, axes: Any) -> Any:
        return _map_by_axis(lambda axis, x: _put(x, whole if axis is None else divided), axes, tree)

    held = (place(shares.inputs, shares.axes), place(batches, batch_axes))
    axes = (shares.axes, batch_axes, 0, None, None)
    function = partial(stretch, gradient=_gradient(shares, tables), optimizer=optimizer)
    specs = jax.tree.map(tables.spec, jax.eval_shape(create, jax.random.key(0)))
    # Arrays of a pmap over several processes belong to one of them and can't be saved as a whole.
    if parallel == "pmap" and jax.process_count() == 1 and not shard_embeddings:
        compiled = jax.pmap(function, AXIS, in_axes=(None, *axes), out_axes=None, donate_argnums=0, devices=devices)
    else:
        compiled = _shard_map(function, mesh, specs, axes)
    init = jax.jit(create, out_shardings=jax.tree.map(partial(NamedSharding, mesh), specs))
    order = jax.jit(lambda batches, key: divide_order(shuffle(batches, key), n), out_shardings=divided)
    collect = jax.jit(tables.cut, out_shardings=whole)
    return Runner(
        init=lambda key: init(_put(key, whole)),
        shuffle=lambda key: order(held[1], _put(key, whole)),
        run=lambda state, order, n_steps, key: compiled(state, *held, order, _put(n_steps, whole), _put(key, whole)),
        params=lambda state: jax.tree.map(lambda x: x.addressable_data(0), collect(state.params)),
    )


def _gradient(shares: Shares, tables: Tables) -> Callable[..., tuple[Params, Metrics]]:
    """The mean over the devices of the gradients and metrics of their shares."""

    def gradient(params: Params, inputs: Inputs, batch: Batch, key: jax.Array) -> tuple[Params, Metrics]:
        def loss(params: Params) -> tuple[jax.Array, Metrics]:
            return shares.loss(tables.gather(params), inputs, batch, key)

        gradients, metrics = jax.grad(loss, has_aux=True)(params)
        return tables.average(gradients), jax.lax.pmean(metrics, AXIS)

    return gradient


def _put(x: jax.Array, sharding: NamedSharding) -> jax.Array:
    """Places an array that every process holds, without sharing its buffers."""
    if jax.process_count() == 1:
        return jax.device_put(x, sharding, may_alias=False)
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
    host = np.asarray(x)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _shard_map(function: Callable[..., TrainState], mesh: Mesh, state: Any, axes: tuple) -> Callable[..., TrainState]:
    """As jax.pmap with `axes`, but with a state of any partition; a device sees its share without the leading axis."""

    def on_shares(state: TrainState, *args: Any) -> TrainState:
        return function(state, *_map_by_axis(lambda axis, x: x if axis is None else x[0], axes, args))

    specs = jax.tree.map(lambda axis: P() if axis is None else P(AXIS), axes, is_leaf=lambda x: x is None)
    # With check_vma the gradients of replicated parameters would arrive summed already.
    mapped = jax.shard_map(on_shares, mesh=mesh, in_specs=(state, *specs), out_specs=state, check_vma=False)
    return jax.jit(mapped, donate_argnums=0)


def _map_by_axis(function: Callable[[int | None, Any], Any], axes: Any, tree: Any) -> Any:
    """Maps (axis, leaf) over a pytree, whose axes (0 or None) may each stand for a whole branch."""

    def branch(axis: int | None, branch: Any) -> Any:
        return jax.tree.map(partial(function, axis), branch)

    return jax.tree.map(branch, axes, tree, is_leaf=lambda x: x is None)
