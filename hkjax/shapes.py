"""Checks of shapes; their errors name the function and its arguments."""

from typing import Any

import chex


def check_rank(function: str, rank: int | set[int], **arrays: Any) -> None:
    """Raises an AssertionError unless all arrays have the rank, or one of the ranks."""
    for name, array in arrays.items():
        chex.assert_rank(array, rank, custom_message=f"{function}: {name}")


def check_same_shape(function: str, **arrays: Any) -> None:
    """Raises an AssertionError unless all arrays have one shape."""
    chex.assert_equal_shape(list(arrays.values()), custom_message=f"{function}: {_shapes(arrays)}")


def check_prefix(function: str, length: int = 1, **arrays: Any) -> None:
    """Raises an AssertionError unless the first `length` axes of all arrays are the same."""
    message = f"{function}: {_shapes(arrays)}"
    chex.assert_equal_shape_prefix(list(arrays.values()), length, custom_message=message)


def check_suffix(function: str, length: int = 1, **arrays: Any) -> None:
    """Raises an AssertionError unless the last `length` axes of all arrays are the same."""
    message = f"{function}: {_shapes(arrays)}"
    chex.assert_equal_shape_suffix(list(arrays.values()), length, custom_message=message)


def _shapes(arrays: dict[str, Any]) -> str:
    return ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
