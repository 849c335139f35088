"""The two named axes of devices, and the collectives over them.

A step may run on a mesh of devices with the axes DATA and ROWS. Batches and edges are divided over both. Embedding
tables, and activations of their size, are divided by rows over ROWS and replicated over DATA. An axis that is not
bound has size 1. So the same functions run under plain jit (on one device), under jax.pmap (it binds only DATA) and
under jax.shard_map on a mesh (it binds both).

A table of n rows that is divided over r devices is padded with zero rows to a multiple of r. Each device holds
ceil(n / r) consecutive rows of it.

Derivatives. Reverse-mode differentiation transposes a sum over devices into a sum over devices of the cotangents.
So each device gets the gradient of the sum of all devices' losses with respect to its own values.
"""

import jax
import jax.numpy as jnp

DATA, ROWS = "data", "rows"


def axis_size(axis: str) -> int:
    """Returns the number of devices along an axis; 1 where the axis is not bound."""
    try:
        return jax.lax.axis_size(axis)
    except NameError:
        return 1


def n_devices() -> int:
    """Returns the number of devices of the mesh."""
    return axis_size(DATA) * axis_size(ROWS)


def psum(x: jax.Array, *axes: str) -> jax.Array:
    """Sums x over the devices along the given axes."""
    bound = tuple(axis for axis in axes if axis_size(axis) > 1)
    return jax.lax.psum(x, bound) if bound else x


def all_gather(x: jax.Array) -> jax.Array:
    """Gathers all rows of a table, padding included: [r * rows, ...] from this device's [rows, ...]."""
    return jax.lax.all_gather(x, ROWS, tiled=True) if axis_size(ROWS) > 1 else x


def psum_scatter(x: jax.Array) -> jax.Array:
    """Sums x [n, ...] over ROWS and returns this device's rows of the sum, [ceil(n / r), ...]."""
    n_shards = axis_size(ROWS)
    return jax.lax.psum_scatter(pad_rows(x, n_shards), ROWS, tiled=True) if n_shards > 1 else x


def device_key(key: jax.Array) -> jax.Array:
    """Returns a key for draws from this device's part of the edges: another one on every device."""
    bound = tuple(axis for axis in (DATA, ROWS) if axis_size(axis) > 1)
    return jax.random.fold_in(key, jax.lax.axis_index(bound)) if bound else key


def rows_key(key: jax.Array) -> jax.Array:
    """Returns a key for draws for a table's rows: the same on all devices that hold the same rows."""
    return jax.random.fold_in(key, jax.lax.axis_index(ROWS)) if axis_size(ROWS) > 1 else key


def pad_rows(x: jax.Array, n_shards: int, fill: int = 0) -> jax.Array:
    """Pads [n, ...] to a multiple of `n_shards` rows."""
    return jnp.pad(x, [(0, -x.shape[0] % n_shards)] + [(0, 0)] * (x.ndim - 1), constant_values=fill)
