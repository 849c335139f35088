"""Transfer of arrays between the host and the devices of any process."""

import collections
import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Sharding

T = TypeVar("T")


@contextlib.contextmanager
def on_host() -> Iterator[None]:
    """Places new arrays in the host's memory: arrays to be divided among devices need not fit into one."""
    try:
        on_cpu: contextlib.AbstractContextManager[None] = jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:  # $JAX_PLATFORMS leaves out CPUs.
        on_cpu = contextlib.nullcontext()
    with on_cpu:
        yield


def put_global(x: Any, sharding: Sharding) -> Any:
    """Places an array that every process holds, without sharing its buffers; a shape only gets the sharding."""
    if isinstance(x, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)
    if jax.process_count() == 1:
        return jax.device_put(x, sharding, may_alias=False)
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(put_global(jax.random.key_data(x), sharding), impl=jax.random.key_impl(x))
    host = np.asarray(x)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def to_host(x: jax.Array) -> np.ndarray:
    """Returns the whole of an array with parts on devices of any process."""
    return np.asarray(x if x.is_fully_addressable else multihost_utils.process_allgather(x, tiled=True))


def one_ahead(results: Iterable[T]) -> Iterator[T]:
    """Yields the same results, each after the next was started: a device has work while the host reads."""
    started = collections.deque[T]()
    for result in results:
        started.append(result)
        if len(started) > 1:
            yield started.popleft()
    yield from started
