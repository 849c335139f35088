"""Checksums of a state's arrays, by which a damaged checkpoint is detected."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.transfer import to_host


def describe(tree: Any) -> dict[str, dict[str, Any]]:
    """Returns the shape, type and checksum of every array, by its path in the tree.

    The sums are computed where the arrays are. They depend neither on how an array is divided among devices nor on
    zeros after its last row, with which a mesh pads tables. A change of one word changes its array's sum, except one in
    2^32 changes; larger damage is missed with a probability of 2^-32.
    """
    leaves = _by_name(tree)
    sums = to_host(_checksums([*leaves.values()]))
    return {
        name: {"shape": list(leaf.shape), "dtype": str(leaf.dtype), "sum": f"{int(value):08x}"}
        for (name, leaf), value in zip(leaves.items(), sums, strict=True)
    }


def difference(there: Mapping[str, Mapping[str, Any]], like: Any, padded: bool) -> str | None:
    """Describes the first difference between described arrays and those of a tree; None where they agree.

    Args:
        there: the result of `describe`.
        like: arrays, or their shapes.
        padded: whether row counts may differ.
    """
    here = _by_name(like)
    for name in sorted({*there} ^ {*here}):
        return f"{name} is only {'there' if name in there else 'here'}"
    for name, leaf in here.items():
        shape, first = there[name]["shape"], int(padded)
        if len(shape) != leaf.ndim or shape[first:] != list(leaf.shape)[first:] or there[name]["dtype"] != leaf.dtype:
            found = f"{there[name]['dtype']} {shape}"
            return f"{name} is {found} there, {leaf.dtype} {list(leaf.shape)} here"
    return None


def _by_name(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


@jax.jit
def _checksums(arrays: list[jax.Array]) -> jax.Array:
    return jnp.stack([_checksum(array) for array in arrays])


def _checksum(array: jax.Array) -> jax.Array:
    """Sums a hash of every word and its place, modulo 2^32."""
    if array.dtype == bool:
        array = array.astype(jnp.uint8)
    word = {1: jnp.uint8, 2: jnp.uint16}.get(array.dtype.itemsize, jnp.uint32)
    words = jax.lax.bitcast_convert_type(array, word).astype(jnp.uint32)
    place = jnp.zeros(words.shape, jnp.uint32)
    for axis in range(words.ndim):
        stride = math.prod(words.shape[axis + 1 :]) % 2**32
        place += jax.lax.broadcasted_iota(jnp.uint32, words.shape, axis) * jnp.uint32(stride)
    hashed = jnp.where(words == 0, 0, _mix(words ^ _mix(place + 1)))
    rows = jnp.sum(hashed, axis=-1, dtype=jnp.uint32) if words.ndim else hashed
    return jnp.sum(rows, dtype=jnp.uint32)


def _mix(x: jax.Array) -> jax.Array:
    """Applies MurmurHash3's finalizer, a bijection of 32-bit words: each bit changes half of the output bits."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)
