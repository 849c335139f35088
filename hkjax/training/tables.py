"""Embedding tables sharded by rows: what each device holds of them, and how a step makes them whole.

A table is a matrix with more rows than columns, among the parameters or among the optimiser's
moments. It is filled up with rows of 0 to a multiple of the devices, which hold equally many of its
rows. To take a gradient, a device gathers the others' rows; what it finds for them is sent back and
summed where they are held. So a device keeps its share of the tables and of the moments, and has the
whole of one table only while it uses it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from hkjax.models.base import AXIS, Params


class Tables(NamedTuple):
    """How the tables of a model are divided.

    Attributes:
        whole: the shapes of the parameters, undivided.
        n_shards: among so many devices; 1 where each device holds all tables whole.
    """

    whole: Params
    n_shards: int

    def divides(self, x: Any) -> bool:
        """Whether an array of this shape is divided."""
        return self.n_shards > 1 and x.ndim == 2 and x.shape[0] > x.shape[1]

    def spec(self, x: Any) -> P:
        """The partition of an array."""
        return P(AXIS) if self.divides(x) else P()

    def fill_up(self, x: jax.Array) -> jax.Array:
        """An array as it is divided."""
        return jnp.pad(x, ((0, -x.shape[0] % self.n_shards), (0, 0))) if self.divides(x) else x

    def cut(self, params: Params) -> Params:
        """Takes the parameters' filling away."""
        return jax.tree.map(lambda x, like: x[: like.shape[0]] if self.divides(like) else x, params, self.whole)

    def gather(self, params: Params) -> Params:
        """The whole parameters, from this device's."""

        def rows(x: jax.Array, like: Any) -> jax.Array:
            return jax.lax.all_gather(x, AXIS, tiled=True) if self.divides(like) else x

        return self.cut(jax.tree.map(rows, params, self.whole))

    def average(self, gradients: Params) -> Params:
        """The mean over the devices of the gradients with respect to their own parameters."""

        def mean(x: jax.Array, like: Any) -> jax.Array:
            # The transpose of gathering rows has summed their gradients.
            return x / self.n_shards if self.divides(like) else jax.lax.pmean(x, AXIS)

        return jax.tree.map(mean, gradients, self.whole)
