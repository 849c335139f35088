"""What `jax.random` draws by its default generator, Threefry-2x32 (Salmon et al., SC 2011), to the bit but sooner.

On CPUs JAX goes through memory with every fourth of its twenty rounds, so that compiling takes less long. Written out,
the rounds become one loop, which takes a tenth of the time, and compiling them no longer.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def random_bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """`jax.random.bits(key, shape, jnp.uint32)`."""
    size = math.prod(shape)
    if not _is_default(key) or size > 2**32:
        return jax.random.bits(key, shape, jnp.uint32)
    x, y = _threefry(jax.random.key_data(key), jax.lax.iota(jnp.uint32, size))
    return (x ^ y).reshape(shape)


def folded_bits(key: jax.Array, numbers: jax.Array) -> jax.Array:
    """The first word of `jax.random.fold_in(key, number)` for int numbers [n]: uint32 [n]."""
    if not _is_default(key):
        return jax.random.key_data(jax.vmap(jax.random.fold_in, (None, 0))(key, numbers))[:, 0]
    return _threefry(jax.random.key_data(key), numbers.astype(jnp.uint32))[0]


def _is_default(key: jax.Array) -> bool:
    partitionable = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    return str(jax.random.key_impl(key)) == "threefry2x32" and partitionable


@jax.jit
def _threefry(key: jax.Array, counters: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both words of the counters (0, n): uint32 [n] each, of a key [2] and n, uint32 [n]."""
    keys = (*key, key[0] ^ key[1] ^ _PARITY)
    x, y = jnp.broadcast_to(keys[0], counters.shape), counters + keys[1]
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            x += y
            y = x ^ (y << np.uint32(rotation) | y >> np.uint32(32 - rotation))
        x += keys[(i + 1) % 3]
        y += keys[(i + 2) % 3] + np.uint32(i + 1)
    return x, y
