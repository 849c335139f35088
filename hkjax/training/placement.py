"""A model laid out on several devices: who holds what of its inputs, its tables and their moments.

Divided tables are filled up with rows of 0 to a multiple of the devices, each of which holds equally
many of their rows, and of the rows of the optimiser's moments.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from hkjax.models.base import AXIS, Params, Recommender, split
from hkjax.models.devices import fill_up


class Placement:
    """A model's shares, where they are held.

    Args:
        recommender: the model.
        devices: at least two.
        divide_tables: give each device its rows of the tables, and not all.

    Attributes:
        inputs, axes: the model's inputs as `Shares` divides them, on the devices.
        loss: a device's, see `Shares`.
        whole, divided: the shardings of what all devices hold alike, and of what has their axis in front.

    Raises:
        InputError: the model does not divide its tables.
    """

    def __init__(self, recommender: Recommender, devices: Sequence[jax.Device], divide_tables: bool):
        self._n, self._of_one_device = len(devices), recommender
        self._mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
        self.whole, self.divided = NamedSharding(self._mesh, P()), NamedSharding(self._mesh, P(AXIS))
        shares = split(recommender, self._n, divide_tables)
        self._tables = shares.tables if divide_tables else ()
        self.inputs, self.axes = self.put(shares.inputs, shares.axes), shares.axes
        self.loss, self._encode = shares.loss, shares.encode

    def put(self, tree: Any, axes: Any) -> Any:
        """Places arrays that every process holds, divided along the axes that are 0 and not None."""
        return _map_by_axis(lambda axis, x: put(x, self.whole if axis is None else self.divided), axes, tree)

    def specs(self, tree: Any) -> Any:
        """The partitions of parameters, or of a state that holds moments under their names."""
        return self._by_name(lambda x: P(AXIS), lambda x: P(), tree)

    def shardings(self, tree: Any) -> Any:
        """`specs`, on these devices."""
        return jax.tree.map(partial(NamedSharding, self._mesh), self.specs(tree))

    def fill_up(self, tree: Any) -> Any:
        """Whole parameters, or a state, as they are divided."""
        return self._by_name(lambda x: fill_up(x, self._n), lambda x: x, tree)

    def average(self, gradients: Params) -> Params:
        """The mean over the devices of the gradients with respect to their own parameters."""
        # The transpose of gathering rows has summed their gradients.
        return self._by_name(lambda x: x / self._n, lambda x: jax.lax.pmean(x, AXIS), gradients)

    def on_shares(self, function: Callable[..., Any], first: Any, axes: Any, result: Any) -> Callable[..., Any]:
        """As jax.pmap with `axes`, but with any partition of the first argument and of the result.

        A device's function sees its share without the leading axis.

        Args:
            function: of the first argument and of as many others as there are axes.
            first, result: pytrees of partitions.
            axes: 0 or None for each leaf, or whole branch, of the other arguments.
        """

        def on_share(first: Any, *args: Any) -> Any:
            return function(first, *_map_by_axis(lambda axis, x: x if axis is None else x[0], axes, args))

        specs = jax.tree.map(lambda axis: P() if axis is None else P(AXIS), axes, is_leaf=lambda x: x is None)
        # With check_vma the gradients of replicated parameters would arrive summed already.
        return jax.shard_map(on_share, mesh=self._mesh, in_specs=(first, *specs), out_specs=result, check_vma=False)

    @cached_property
    def params(self) -> Params:
        """Shapes and shardings of the parameters."""
        shapes = jax.eval_shape(lambda key: self.fill_up(self._of_one_device.init(key)), jax.random.key(0))
        return jax.tree.map(
            lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
            shapes,
            self.shardings(shapes),
        )

    @cached_property
    def recommender(self) -> Recommender:
        """The model for evaluation, where tables are divided: its representation is divided as they are.

        Of its functions `encode`, `score` and `rank_scores` alone take what is divided.
        """
        r, rank = self._of_one_device, self._of_one_device.rank_scores
        encode = self.on_shares(self._encode, self.specs(self.params), (self.axes,), P(AXIS))
        representation = jax.eval_shape(r.encode, jax.eval_shape(r.init, jax.random.key(0)), r.inputs)
        n_items = jax.eval_shape(r.rank_scores, representation, jnp.zeros(1, jnp.int32)).shape[1]
        return r._replace(inputs=self.inputs, encode=encode, rank_scores=lambda *args: rank(*args)[:, :n_items])

    def _by_name(self, of_table: Callable[[Any], Any], of_other: Callable[[Any], Any], tree: Any) -> Any:
        def function(path: tuple[Any, ...], x: Any) -> Any:
            return of_table(x) if path and getattr(path[-1], "key", None) in self._tables else of_other(x)

        return jax.tree_util.tree_map_with_path(function, tree)


def put(x: jax.Array, sharding: NamedSharding) -> jax.Array:
    """Places an array that every process holds, without sharing its buffers."""
    if jax.process_count() == 1:
        return jax.device_put(x, sharding, may_alias=False)
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(put(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
    host = np.asarray(x)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _map_by_axis(function: Callable[[int | None, Any], Any], axes: Any, tree: Any) -> Any:
    """Maps (axis, leaf) over a pytree, whose axes (0 or None) may each stand for a whole branch."""

    def branch(axis: int | None, branch: Any) -> Any:
        return jax.tree.map(partial(function, axis), branch)

    return jax.tree.map(branch, axes, tree, is_leaf=lambda x: x is None)
