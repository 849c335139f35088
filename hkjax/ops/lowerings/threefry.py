"""Threefry-2x32 (Salmon et al., SC 2011), bit-identical to `jax.random`'s default generator and faster on CPUs.

On CPUs JAX passes through memory after every four of its twenty rounds, to compile faster. For many random words it
takes a fifth of the time to run all rounds on one block of counters after another. On other platforms JAX also unrolls
the rounds, and both are the same program.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.ops.lowerings import blocks

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


@partial(jax.jit, static_argnames="shape")
def random_bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Computes `jax.random.bits(key, shape, jnp.uint32)`."""
    size = math.prod(shape)
    if not _pays(key, size):
        return jax.random.bits(key, shape, jnp.uint32)
    k0, k1 = jax.random.key_data(key)
    counters = jax.lax.iota(jnp.uint32, size)
    words = blocks.map_rows(lambda counters: _bits(k0, k1, counters), counters, at_once=True)
    return words.reshape(shape)


@partial(jax.jit, static_argnames="n")
def folded_bits(key: jax.Array, numbers: jax.Array, n: int) -> jax.Array:
    """Computes `random_bits(fold_in(key, number), (n,))` for each of the `numbers`, int [B]: uint32 [B, n]."""
    if not _pays(key, numbers.size * n):
        return jax.vmap(lambda number: jax.random.bits(jax.random.fold_in(key, number), (n,), jnp.uint32))(numbers)
    k0, k1 = jax.random.key_data(key)

    def bits(numbers: jax.Array) -> jax.Array:
        return _bits(*_threefry(k0, k1, numbers[:, None]), jax.lax.iota(jnp.uint32, n))

    return blocks.map_rows(bits, numbers.astype(jnp.uint32), width=n, at_once=True)


@jax.jit
def folded_words(key: jax.Array, numbers: jax.Array) -> jax.Array:
    """Computes the first word of `fold_in(key, number)` for each of the `numbers`, int [B]: uint32 [B]."""
    if not _pays(key, numbers.size):
        return jax.random.key_data(jax.vmap(jax.random.fold_in, (None, 0))(key, numbers))[:, 0]
    k0, k1 = jax.random.key_data(key)
    numbers = numbers.astype(jnp.uint32)
    return blocks.map_rows(lambda numbers: _threefry(k0, k1, numbers)[0], numbers, at_once=True)


def bits_at(key: jax.Array, offsets: jax.Array, columns: jax.Array) -> jax.Array:
    """Computes the words of `random_bits` at the indices offsets + columns: [n, d] from uint32 [n, 1] and [d].

    No other words are computed. Key and number of words must be `numbered`.
    """
    k0, k1 = jax.random.key_data(key)
    # The key comes first: offsets + columns would be computed before a loop over keys, stored, and read in it.
    x, y = _rounds(k0, k1, columns + k1 + offsets)
    return x ^ y


def numbered(key: jax.Array, size: int) -> bool:
    """Tests whether each of a key's first `size` words depends only on its index, as in `bits_at`."""
    partitionable = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    return size <= 2**32 and str(jax.random.key_impl(key)) == "threefry2x32" and partitionable


@jax.jit
def unpack_bits(bits: jax.Array, dimensions: jax.Array) -> jax.Array:
    """Reads the bits of some dimensions: bool [pairs, d] from uint32 [pairs, words] and int [d]."""
    words = [jnp.where(dimensions // 32 == w, bits[:, w : w + 1], 0) for w in range(bits.shape[1])]
    of_dimension = sum(words[1:], start=words[0])
    return of_dimension >> (dimensions % 32).astype(jnp.uint32) & 1 == 1


def _pays(key: jax.Array, size: int) -> bool:
    return size > blocks.SIZE and numbered(key, size)


def _bits(k0: jax.Array, k1: jax.Array, counters: jax.Array) -> jax.Array:
    x, y = _threefry(k0, k1, counters)
    return x ^ y


def _threefry(k0: jax.Array, k1: jax.Array, counters: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes both words of the counters (0, n) by keys (k0, k1): uint32 arrays of one shape, up to broadcasting."""
    return _rounds(k0, k1, counters + k1)


def _rounds(k0: jax.Array, k1: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes `_threefry` from counters plus the second key."""
    keys = k0, k1, k0 ^ k1 ^ _PARITY
    x = k0
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            x = x + y
            y = x ^ (y << np.uint32(rotation) | y >> np.uint32(32 - rotation))
        x = x + keys[(i + 1) % 3]
        y = y + keys[(i + 2) % 3] + np.uint32(i + 1)
    return x, y
