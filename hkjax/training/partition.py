"""The layout of a model's inputs, tables and moments on a mesh of devices.

The mesh has the axes DATA and ROWS (`hkjax.ops.collectives`). Each device holds its part of every batch and of the
edges, and all parameters and moments. If ROWS has several devices, it holds only its rows of tables. It computes the
gradient of the loss of its part. The whole gradient is the mean over devices (`Partitioner.average_gradients`).
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from hkjax.data.batching import Batches, shard_layout
from hkjax.errors import InputError
from hkjax.models.base import Params, Recommender, ShardedModel
from hkjax.ops.collectives import DATA, ROWS, pad_rows, psum
from hkjax.transfer import on_host, put_global

MeshShape = tuple[int, int]


def make_mesh(shape: MeshShape, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Makes the mesh of the given numbers of devices along DATA and ROWS.

    Args:
        shape: both counts; one of them may be -1, for as many as the devices allow.
        devices: all if absent; the first ones are used if the mesh needs fewer.

    Raises:
        InputError: there are too few devices, or the shape is invalid.
    """
    devices = jax.devices() if devices is None else devices
    valid = (
        len(shape) == 2
        and all(isinstance(n, int | np.integer) and (n >= 1 or n == -1) for n in shape)
        and max(shape) >= 1
    )
    if not valid:
        raise InputError(f"mesh: expected two device counts such as (4, 1), (1, -1) or (2, 2), found {shape}")
    n_data, n_rows = (max(len(devices) // max(shape), 1) if n == -1 else n for n in shape)
    if n_data * n_rows > len(devices):
        raise InputError(f"mesh: {tuple(shape)} needs {n_data * n_rows} devices, found {len(devices)}")
    if jax.process_count() > 1 and n_data * n_rows < len(devices):
        raise InputError(f"mesh: {tuple(shape)} leaves devices of some process out; there are {len(devices)}")
    grid = np.array(devices[: n_data * n_rows]).reshape(n_data, n_rows)
    return Mesh(grid, (DATA, ROWS), axis_types=(AxisType.Auto,) * 2)


def parse_mesh_shape(counts: Sequence[str]) -> MeshShape:
    """Parses the shape in a flag such as --mesh=1,-1; `make_mesh` checks it."""
    try:
        data, rows = map(int, counts)
    except ValueError as error:
        raise InputError(f"mesh: expected two integers such as 1,-1, found {','.join(counts)}") from error
    return data, rows


def shard_model(recommender: Recommender, n_data: int, n_rows: int) -> ShardedModel:
    """Divides a model's inputs among n_data * n_rows devices.

    Raises:
        InputError: n_rows divides tables, which the model does not support.
    """
    if recommender.shard is not None:
        return recommender.shard(n_data, n_rows)
    if n_rows > 1:
        raise InputError(f"mesh: {(n_data, n_rows)} divides tables by rows, which this model does not support")
    return ShardedModel(recommender.inputs, P(), ())


class Partitioner:
    """A model's inputs on the mesh, and the PartitionSpecs of its parameters and state.

    Args:
        recommender: the model.
        mesh: of `make_mesh`, or with only the axis DATA, for jax.pmap.

    Attributes:
        mesh, n_devices: the mesh, and its number of devices.
        each: PartitionSpec of arrays with a leading axis of one entry per device.
        inputs, input_specs: the model's inputs on the devices, divided as in `ShardedModel`.
        batch_specs: PartitionSpecs of batches after `divide_batches`.

    Raises:
        InputError: the mesh divides tables, which the model does not support.
    """

    def __init__(self, recommender: Recommender, mesh: Mesh):
        self.mesh, self._recommender, self._n_rows = mesh, recommender, mesh.shape.get(ROWS, 1)
        self.n_devices, self.each = mesh.size, P(mesh.axis_names)
        self.batch_specs: Any = Batches(P(), P(), self.each)  # type: ignore[arg-type]
        with on_host():
            sharded = shard_model(recommender, mesh.shape[DATA], self._n_rows)
        self._tables = sharded.tables if self._n_rows > 1 else ()
        if self._tables:
            self._check_tables()
        self.input_specs = jax.tree.map(
            lambda spec: self.each if spec == P((DATA, ROWS)) else spec, sharded.specs, is_leaf=_is_spec
        )
        self.inputs = self.put_global(sharded.inputs, self.input_specs)

    def _check_tables(self) -> None:
        params = jax.eval_shape(self._recommender.init, jax.random.key(0))
        unknown = {*self._tables} - {_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)}
        assert not unknown, f"tables {sorted(unknown)} are not among the parameters"

    def sharding(self, spec: P) -> NamedSharding:
        """Returns the sharding of a PartitionSpec on this mesh."""
        return NamedSharding(self.mesh, spec)

    def put_global(self, tree: Any, specs: Any) -> Any:
        """Places arrays that every process holds, by their PartitionSpecs."""
        return map_specs(lambda spec, x: put_global(x, self.sharding(spec)), specs, tree)

    def divide_batches(self, batches: Batches) -> Batches:
        """Gives each device its rows of every batch's layout."""
        if batches.layout is None:
            return batches
        return batches._replace(layout=shard_layout(batches.layout, self.n_devices, strided=True))

    def state_specs(self, tree: Any) -> Any:
        """Returns PartitionSpecs of parameters, or of a state that holds moments under their names."""
        return self._map_tables(lambda x: P(ROWS), lambda x: P(), tree)

    def state_shardings(self, tree: Any) -> Any:
        """Returns `state_specs` as shardings on this mesh."""
        return jax.tree.map(self.sharding, self.state_specs(tree), is_leaf=_is_spec)

    def state(self, create: Callable[[jax.Array], Any]) -> Any:
        """Returns shapes and shardings of the state that `create` makes from a key."""
        shapes = jax.eval_shape(lambda key: self.pad(create(key)), jax.random.key(0))
        return jax.tree.map(put_global, shapes, self.state_shardings(shapes))

    def pad(self, tree: Any) -> Any:
        """Pads the tables of whole parameters, or of a state, so that they can be divided."""
        return self._map_tables(lambda x: pad_rows(x, self._n_rows), lambda x: x, tree)

    def mean(self, x: jax.Array) -> jax.Array:
        """Averages x over the devices; to be called on the mesh."""
        return psum(x, DATA, ROWS) / self.n_devices

    def average_gradients(self, gradients: Params) -> Params:
        """Computes the gradient of the devices' mean loss from their gradients of what each holds."""
        # Devices along ROWS look up each other's table rows, so a row's gradient already includes all their losses.
        return self._map_tables(lambda x: psum(x, DATA) / self.n_devices, self.mean, gradients)

    def pmap(self, function: Callable[..., Any], specs: Sequence[Any], **options: Any) -> Callable[..., Any]:
        """Applies `jax.pmap` on a mesh with only the axis DATA.

        Args:
            function: of this device's part of its arguments.
            specs: PartitionSpecs of the arguments, each for a leaf or a branch.
            options: further options of jax.pmap.
        """
        axes = jax.tree.map(lambda spec: 0 if len(spec) else None, tuple(specs), is_leaf=_is_spec)
        return jax.pmap(function, DATA, in_axes=axes, out_axes=None, devices=list(self.mesh.devices), **options)

    def shard_map(self, function: Callable[..., Any], first: Any, specs: Sequence[Any], out: Any) -> Callable[..., Any]:
        """Applies `jax.shard_map` to a function of this device's part of its arguments.

        Args:
            function: the rows of its first argument are divided. Other divided arguments have a leading axis of one
                entry per part; the function sees its own entry, without that axis.
            first, specs, out: PartitionSpecs of the first argument, of the others and of the result, each for a leaf or
                a branch.
        """

        def of_part(first: Any, *args: Any) -> Any:
            return function(first, *map_specs(lambda spec, x: x[0] if len(spec) else x, tuple(specs), args))

        # With check_vma the gradients of replicated parameters would already be summed.
        return jax.shard_map(of_part, mesh=self.mesh, in_specs=(first, *specs), out_specs=out, check_vma=False)

    @cached_property
    def params(self) -> Params:
        """Shapes and shardings of the parameters."""
        return self.state(self._recommender.init)

    @cached_property
    def recommender(self) -> Recommender:
        """The model for evaluation on the mesh; its representation is divided by rows.

        Only its functions `encode`, `score_pairs` and `score_all_items` take divided arrays.
        """
        r = self._recommender
        encode = self.shard_map(r.encode, self.state_specs(self.params), (self.input_specs,), P(ROWS))
        representation = jax.eval_shape(r.encode, jax.eval_shape(r.init, jax.random.key(0)), r.inputs)
        n_items = jax.eval_shape(r.score_all_items, representation, jnp.zeros(1, jnp.int32)).shape[1]
        return r._replace(
            inputs=self.inputs, encode=encode, score_all_items=lambda *args: r.score_all_items(*args)[:, :n_items]
        )

    def _map_tables(self, of_table: Callable[[Any], Any], of_other: Callable[[Any], Any], tree: Any) -> Any:
        def function(path: tuple[Any, ...], x: Any) -> Any:
            # Metrics are scalars, whatever their names.
            return of_table(x) if len(x.shape) and _name(path) in self._tables else of_other(x)

        return jax.tree_util.tree_map_with_path(function, tree)


def map_specs(function: Callable[[P, Any], Any], specs: Any, tree: Any) -> Any:
    """Maps a function of (PartitionSpec, leaf) over a pytree; a spec may stand for a branch."""
    return jax.tree.map(
        lambda spec, branch: jax.tree.map(partial(function, spec), branch), specs, tree, is_leaf=_is_spec
    )


def _name(path: tuple[Any, ...]) -> str | None:
    """Returns a leaf's name: the last key or attribute of its path."""
    last = path[-1] if path else None
    return getattr(last, "key", getattr(last, "name", None))


def _is_spec(x: Any) -> bool:
    return isinstance(x, P)
