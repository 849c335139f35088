"""Check that a run fits into memory, before anything is allocated."""

import math
import os

import jax
import numpy as np

from hkjax.errors import InputError


def check_memory(state: object, devices: np.ndarray, shards: int = 1) -> None:
    """Raises an error for a state that exceeds a device's memory, where that is known.

    XLA's CPU backend would wait forever for this memory.

    Args:
        state: shapes of parameters and moments.
        devices: the devices that train, of one kind.
        shards: number of devices that divide the tables.

    Raises:
        InputError: it does; the message gives both sizes.
    """
    needed = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)) / shards
    there = _memory(devices.flat[0])
    if there is not None and needed > there:
        raise InputError(
            f"parameters and moments take {needed / 1e9:,.0f} GB of the {there / 1e9:,.0f} GB that a device has. "
            "Choose a smaller model.dim, or divide tables among devices by --config.mesh=(1,-1)"
        )


def _memory(device: jax.Device) -> int | None:
    """Returns a device's memory in bytes; None if unknown."""
    if device.platform == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (device.memory_stats() or {}).get("bytes_limit")
