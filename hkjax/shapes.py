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


def check(function: str, **arrays: tuple[Any, str]) -> None:
    """Raises an AssertionError unless arrays have the shapes that are described, with equal names for equal sizes.

    Args:
        function: for the message.
        **arrays: by argument, the array and its axes, such as "m d"; a leading "..." stands for any axes.

    Example:
        >>> check("query_vector", w=(jnp.ones(3), "m"), e=(jnp.ones((2, 4)), "m d"))
        Traceback (most recent call last):
        AssertionError: query_vector: expected w [m], e [m, d]; found w [3], e [2, 4]
    """
    sizes: dict[str, Any] = {}
    for array, axes in arrays.values():
        shape, names = jnp.shape(array), axes.split()
        if names[:1] == ["..."]:
            split = len(shape) - len(names) + 1
            fits = split >= 0 and sizes.setdefault("...", shape[:split]) == shape[:split]
            shape, names = shape[max(split, 0) :], names[1:]
        else:
            fits = len(shape) == len(names)
        if not fits or any(sizes.setdefault(*pair) != pair[1] for pair in zip(names, shape, strict=True)):
            wanted = ", ".join(f"{name} [{', '.join(axes.split())}]" for name, (_, axes) in arrays.items())
            found = ", ".join(f"{name} {list(jnp.shape(array))}" for name, (array, _) in arrays.items())
            raise AssertionError(f"{function}: expected {wanted}; found {found}")
