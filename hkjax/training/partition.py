"""A model laid out on a mesh of devices: who holds what of its inputs, its tables and their moments.

The mesh has the axes DATA and ROWS (`hkjax.ops.collectives`). Each device has its part of every batch and of the
edges, and all parameters and moments; of tables only its rows where ROWS has several devices. It takes the gradient of
the loss of its part. The gradient of the whole is the mean over the devices (`Partitioner.average_gradients`).
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
    """The mesh of the given number of devices along DATA and along ROWS.

    Args:
        shape: both numbers; one of them may be -1, for as many as there are devices for.
        devices: all if absent; the first ones are used where they are more than the mesh needs.

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
        raise InputError(f"mesh: expected two numbers of devices such as (4, 1), (1, -1) or (2, 2), found {shape}")
    n_data, n_rows = (max(len(devices) // max(shape), 1) if n == -1 else n for n in shape)
    if n_data * n_rows > len(devices):
        raise InputError(f"mesh: {tuple(shape)} needs {n_data * n_rows} devices, found {len(devices)}")
    if jax.process_count() > 1 and n_data * n_rows < len(devices):
        raise InputError(f"mesh: {tuple(shape)} leaves devices of some process out; there are {len(devices)}")
    grid = np.array(devices[: n_data * n_rows]).reshape(n_data, n_rows)
    return Mesh(grid, (DATA, ROWS), axis_types=(AxisType.Auto,) * 2)


def parse_mesh_shape(numbers: Sequence[str]) -> MeshShape:
    """The shape that a flag such as --mesh=1,-1 names; `make_mesh` checks it."""
    try:
        data, rows = map(int, numbers)
    except ValueError as error:
        raise InputError(f"mesh: expected two whole numbers such as 1,-1, found {','.join(numbers)}") from error
    return data, rows


def shard_model(recommender: Recommender, n_data: int, n_rows: int) -> ShardedModel:
    """Divides a model's inputs among n_data * n_rows devices.

    Raises:
        InputError: its tables are to be divided, and the model has no way to.
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
        mesh: of `make_mesh`; or of the axis DATA alone, as jax.pmap knows it.

    Attributes:
        mesh, n_devices: where everything lies, and of how many devices it consists.
        each: PartitionSpec of what has an entry for every device in front.
        inputs, input_specs: the model's inputs as `ShardedModel` divides them, on the devices.
        batch_specs: PartitionSpecs of batches, whose layout `divide_batches` divides.

    Raises:
        InputError: the tables are to be divided, and the model has no way to.
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
        """A PartitionSpec on this mesh."""
        return NamedSharding(self.mesh, spec)

    def put_global(self, tree: Any, specs: Any) -> Any:
        """Places arrays that every process holds, as their PartitionSpecs say."""
        return map_specs(lambda spec, x: put_global(x, self.sharding(spec)), specs, tree)

    def divide_batches(self, batches: Batches) -> Batches:
        """Gives each device its rows of every batch's layout."""
        if batches.layout is None:
            return batches
        return batches._replace(layout=shard_layout(batches.layout, self.n_devices, strided=True))

    def state_specs(self, tree: Any) -> Any:
        """PartitionSpecs of parameters, or of a state that holds moments under their names."""
        return self._map_tables(lambda x: P(ROWS), lambda x: P(), tree)

    def state_shardings(self, tree: Any) -> Any:
        """`state_specs` on this mesh."""
        return jax.tree.map(self.sharding, self.state_specs(tree), is_leaf=_is_spec)

    def state(self, create: Callable[[jax.Array], Any]) -> Any:
        """Shapes and shardings of the state that a function of a key creates."""
        shapes = jax.eval_shape(lambda key: self.pad(create(key)), jax.random.key(0))
        return jax.tree.map(put_global, shapes, self.state_shardings(shapes))

    def pad(self, tree: Any) -> Any:
        """Pads the tables of whole parameters, or of a state, so that they can be divided."""
        return self._map_tables(lambda x: pad_rows(x, self._n_rows), lambda x: x, tree)

    def mean(self, x: jax.Array) -> jax.Array:
        """The mean of the devices' x; to be called on the mesh."""
        return psum(x, DATA, ROWS) / self.n_devices

    def average_gradients(self, gradients: Params) -> Params:
        """The gradient of the mean of the devices' losses, from the gradients that each has of what it holds."""
        # A device's gradient of its rows of a table already contains the losses of the others along ROWS, which asked
        # it for these rows.
        return self._map_tables(lambda x: psum(x, DATA) / self.n_devices, self.mean, gradients)

    def pmap(self, function: Callable[..., Any], specs: Sequence[Any], **options: Any) -> Callable[..., Any]:
        """`jax.pmap`, where the mesh has the axis DATA alone.

        Args:
            function: of this device's part of its arguments.
            specs: PartitionSpecs of the arguments, each for a leaf or a branch.
            options: further ones of jax.pmap.
        """
        axes = jax.tree.map(lambda spec: 0 if len(spec) else None, tuple(specs), is_leaf=_is_spec)
        return jax.pmap(function, DATA, in_axes=axes, out_axes=None, devices=list(self.mesh.devices), **options)

    def shard_map(self, function: Callable[..., Any], first: Any, specs: Sequence[Any], out: Any) -> Callable[..., Any]:
        """`jax.shard_map` of a function of this device's part of its arguments.

        Args:
            function: its first argument has its rows divided. Of the others, what is divided has an entry for each
                part in front, of which the function sees its own, without that axis.
            first, specs, out: PartitionSpecs of the first argument, of the others and of the result, each for a leaf or
                a branch.
        """

        def of_part(first: Any, *args: Any) -> Any:
            return function(first, *map_specs(lambda spec, x: x[0] if len(spec) else x, tuple(specs), args))

        # With check_vma the gradients of replicated parameters would arrive summed already.
        return jax.shard_map(of_part, mesh=self.mesh, in_specs=(first, *specs), out_specs=out, check_vma=False)

    @cached_property
    def params(self) -> Params:
        """Shapes and shardings of the parameters."""
        return self.state(self._recommender.init)

    @cached_property
    def recommender(self) -> Recommender:
        """The model for evaluation on the mesh; its representation is divided by rows.

        Of its functions `encode`, `score_pairs` and `score_all_items` alone take what is divided.
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
    """Maps (PartitionSpec, leaf) over a pytree, of which a spec may stand for a whole branch."""
    return jax.tree.map(
        lambda spec, branch: jax.tree.map(partial(function, spec), branch), specs, tree, is_leaf=_is_spec
    )


def _name(path: tuple[Any, ...]) -> str | None:
    """The name of a leaf: the last key of its path, or attribute."""
    last = path[-1] if path else None
    return getattr(last, "key", getattr(last, "name", None))


def _is_spec(x: Any) -> bool:
    return isinstance(x, P)
