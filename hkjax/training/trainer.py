"""The training steps of a model, compiled for one device or for a mesh of devices."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from hkjax.data.batching import Batches, epoch_order, shard_order
from hkjax.errors import InputError
from hkjax.models.base import Batch, Inputs, Metrics, Params, Recommender, gradient_of
from hkjax.ops.collectives import DATA, ROWS
from hkjax.training.memory import check_memory
from hkjax.training.partition import MeshShape, Partitioner, make_mesh
from hkjax.training.state import TrainState, create_state
from hkjax.training.step import train_steps
from hkjax.transfer import put_global

Parallel = Literal["pmap", "shard_map"]


class Trainer(NamedTuple):
    """The training steps, compiled for the devices at hand.

    Attributes:
        init: (key) -> state.
        epoch_order: (key) -> an epoch's order of the examples, int32 [batch size, steps], or on a mesh
            [devices, batch size / devices, steps].
        train_steps: (state, order, n_steps, key) -> state after the next `n_steps` steps in that order. The
            old state is donated. `n_steps` is traced, so that all calls share one compilation, and the
            result does not depend on how an epoch is cut into calls.
        params: (state) -> its parameters, as `recommender` takes them.
        recommender: the given model; if tables are sharded, its form for the mesh (see
            `Partitioner.recommender`).
        padded: whether checkpoints may hold tables that are padded for several devices along ROWS.
        start: (state) -> the state with the parameters that are solved before the first step.
    """

    init: Callable[[jax.Array], TrainState]
    epoch_order: Callable[[jax.Array], jax.Array]
    train_steps: Callable[[TrainState, jax.Array, jax.Array, jax.Array], TrainState]
    params: Callable[[TrainState], Params]
    recommender: Recommender
    padded: bool = False
    start: Callable[[TrainState], TrainState] = lambda state: state


def make_trainer(
    recommender: Recommender,
    optimizer: optax.GradientTransformation,
    mesh_shape: MeshShape = (1, 1),
    parallel: Parallel = "pmap",
    devices: Sequence[jax.Device] | None = None,
) -> Trainer:
    """Compiles the training steps of a model.

    Args:
        recommender: the model.
        optimizer: the optax transformation.
        mesh_shape: numbers of devices along DATA and ROWS. Both divide batches and edges, ROWS also tables; see
            `make_mesh`.
        parallel: how the step runs on several devices; with several processes or sharded tables always by
            `shard_map`.
        devices: all if absent.

    Raises:
        InputError: the mesh does not fit the devices, they do not divide the batch evenly, the model does not
            support sharded tables, or a device can't hold them.
    """
    grid = make_mesh(mesh_shape, devices)
    if recommender.trained == ():
        return _solving(recommender)
    params = jax.eval_shape(recommender.init, jax.random.key(0))
    check_memory((params, jax.eval_shape(optimizer.init, params)), grid.devices, grid.shape[ROWS])
    # Unless ROWS is fixed at 1, checkpoints of a run on other devices may hold padded tables.
    padded = mesh_shape[1] != 1
    if grid.size == 1:
        return _on_one_device(recommender, optimizer)._replace(padded=padded, start=partial(_start, recommender))
    if recommender.batches.batch_size % grid.size:
        raise InputError(f"training.batch_size {recommender.batches.batch_size}: not divisible by {grid.size} devices")
    # pmap returns arrays local to each process, which several processes can't save as a whole.
    if parallel == "pmap" and jax.process_count() == 1 and grid.shape[ROWS] == 1:
        grid = Mesh(grid.devices[:, 0], (DATA,), axis_types=(AxisType.Auto,))
    return _on_mesh(recommender, optimizer, grid)._replace(padded=padded, start=partial(_start, recommender))


def _start(recommender: Recommender, state: TrainState) -> TrainState:
    """Solves what is solved before the first step, on one device, and places it where the state has it."""
    if recommender.solve is None:
        return state
    fixed = {name: x for name, x in state.params.items() if name not in (recommender.trained or ())}
    solved = recommender.solve(jax.tree.map(jnp.asarray, state.params), recommender.inputs)
    placed = jax.tree.map(lambda new, old: put_global(new, old.sharding), {name: solved[name] for name in fixed}, fixed)
    return state.replace(params={**state.params, **placed})


def _on_one_device(recommender: Recommender, optimizer: optax.GradientTransformation) -> Trainer:
    steps = steps_on_one_device(recommender, optimizer)
    return Trainer(
        init=jax.jit(partial(create_state, recommender, optimizer)),
        epoch_order=partial(jax.jit(epoch_order), recommender.batches),
        train_steps=lambda state, *args: steps(state, recommender.inputs, recommender.batches, *args),
        params=lambda state: state.params,
        recommender=recommender,
    )


def _solving(recommender: Recommender) -> Trainer:
    """Returns a trainer with one step, which solves the closed form; on one device, whatever the mesh is.

    Raises:
        InputError: there are several processes.
    """
    if jax.process_count() > 1:
        raise InputError("this model is solved in closed form, by one process: start only one")
    solve = recommender.solve
    assert solve is not None

    def init(key: jax.Array) -> TrainState:
        return TrainState(jnp.zeros((), jnp.int32), recommender.init(key), (), {})

    def step(state: TrainState, order: jax.Array, n_steps: jax.Array, key: jax.Array) -> TrainState:
        del order, key
        if not int(n_steps):
            return state
        return state.replace(step=state.step + n_steps, params=solve(state.params, recommender.inputs))

    order = partial(jax.jit(epoch_order), recommender.batches)
    return Trainer(jax.jit(init), order, step, lambda state: state.params, recommender)


def steps_on_one_device(recommender: Recommender, optimizer: optax.GradientTransformation) -> Callable[..., TrainState]:
    """Compiles `train_steps` of a state, inputs, batches and an order for one device."""
    function = partial(train_steps, gradient=gradient_of(recommender), optimizer=optimizer)
    return jax.jit(function, donate_argnums=0)


def _on_mesh(recommender: Recommender, optimizer: optax.GradientTransformation, mesh: Mesh) -> Trainer:
    partitioner, sharded_tables = Partitioner(recommender, mesh), mesh.shape.get(ROWS, 1) > 1
    state = partitioner.state(partial(create_state, recommender, optimizer))
    steps = steps_on_mesh(recommender, optimizer, partitioner, state)

    def create(key: jax.Array) -> TrainState:
        return partitioner.pad(create_state(recommender, optimizer, key))

    def order(batches: Batches, key: jax.Array) -> jax.Array:
        return shard_order(epoch_order(batches, key), mesh.size)

    compiled_init = jax.jit(create, out_shardings=jax.tree.map(lambda leaf: leaf.sharding, state))
    compiled_order = jax.jit(order, out_shardings=partitioner.sharding(partitioner.each))
    inputs = partitioner.inputs
    batches = partitioner.put_global(partitioner.divide_batches(recommender.batches), partitioner.batch_specs)
    everywhere = partial(put_global, sharding=partitioner.sharding(P()))
    return Trainer(
        init=lambda key: compiled_init(everywhere(key)),
        epoch_order=lambda key: compiled_order(batches, everywhere(key)),
        train_steps=lambda state, order, n_steps, key: steps(
            state, inputs, batches, order, everywhere(n_steps), everywhere(key)
        ),
        params=lambda state: state.params if sharded_tables else _of_this_process(state.params),
        recommender=partitioner.recommender if sharded_tables else recommender,
    )


def steps_on_mesh(
    recommender: Recommender, optimizer: optax.GradientTransformation, partitioner: Partitioner, state: TrainState
) -> Callable[..., TrainState]:
    """Compiles `train_steps` for a state, inputs, batches and an order placed by the partitioner.

    Args:
        recommender: the model.
        optimizer: the optax transformation.
        partitioner: the model's, on the mesh.
        state: its shapes and shardings, from `Partitioner.state`.
    """

    of_part = gradient_of(recommender)

    def gradient(params: Params, inputs: Inputs, batch: Batch, key: jax.Array) -> tuple[Params, Metrics]:
        gradients, metrics = of_part(params, inputs, batch, key)
        return partitioner.average_gradients(gradients), jax.tree.map(partitioner.mean, metrics)

    function = partial(train_steps, gradient=gradient, optimizer=optimizer)
    specs = (partitioner.input_specs, partitioner.batch_specs, partitioner.each, P(), P())
    if ROWS not in partitioner.mesh.axis_names:
        return partitioner.pmap(function, (P(), *specs), donate_argnums=0)
    of_state = partitioner.state_specs(state)
    return jax.jit(partitioner.shard_map(function, of_state, specs, of_state), donate_argnums=0)


def _of_this_process(params: Params) -> Params:
    return jax.tree.map(lambda x: x.addressable_data(0), params)
