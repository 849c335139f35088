"""Checks of shapes; their errors name the function and its arguments."""

from typing import Any

import chex
import jax.numpy as jnp


def check_rank(function: str, rank: int | set[int], **arrays: Any) -> None:
    """Raises an AssertionError unless all arrays have the rank, or one of the ranks."""
    for name, array in arrays.items():
        chex.assert_rank(array, rank, custom_message=f"{function}: {name}")


def check_same_shape(function: str, **arrays: Any) -> None:
    """Raises an AssertionError unless all arrays have one shape."""
    chex.assert_equal_shape(list(arrays.values()), custom_message=f"{function}: {_shapes(arrays)}")


def check_prefix(function: str, **arrays: Any) -> None:
    """Raises an AssertionError unless the first axes of all arrays are the same."""
    message = f"{function}: {_shapes(arrays)}"
    chex.assert_equal_shape_prefix(list(arrays.values()), 1, custom_message=message)


def check_suffix(function: str, **arrays: Any) -> None:
    """Raises an AssertionError unless the last axes of all arrays are the same."""
    message = f"{function}: {_shapes(arrays)}"
    chex.assert_equal_shape_suffix(list(arrays.values()), 1, custom_message=message)


def check_integers(function: str, **arrays: Any) -> None:
    """Raises an AssertionError unless all arrays hold integers."""
    for name, array in arrays.items():
        assert jnp.issubdtype(array.dtype, jnp.integer), f"{function}: {name} must hold integers, found {array.dtype}"


def _shapes(arrays: dict[str, Any]) -> str:
    return ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
