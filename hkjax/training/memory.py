"""Whether a run fits into memory, asked before anything is allocated."""

import math
import os

import jax
import numpy as np

from hkjax.errors import InputError


def check_memory(state: object, devices: np.ndarray, shards: int = 1) -> None:
    """Refuses a state that no device can hold, where how much a device holds is known.

    XLA's CPU backend waits forever for memory that it can't get.

    Args:
        state: shapes of parameters and moments.
        devices: those that train, of one kind.
        shards: among how many devices tables are divided.

    Raises:
        InputError: with both sizes.
    """
    needed = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)) / shards
    there = _memory(devices.flat[0])
    if there is not None and needed > there:
        raise InputError(
            f"parameters and moments take {needed / 1e9:,.0f} GB of the {there / 1e9:,.0f} GB that a device has. "
            "Choose a smaller model.dim, or divide tables among devices by --config.mesh=(1,-1)"
        )


def _memory(device: jax.Device) -> int | None:
    """Bytes that a device has in all; None if nobody says."""
    if device.platform == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (device.memory_stats() or {}).get("bytes_limit")
