"""Functions of single points, made to broadcast over leading axes."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, cast

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.precision import full_precision

P = ParamSpec("P")
Array = jax.Array | np.ndarray
Scalar = float | jax.Array | np.ndarray


def pointwise(signature: str) -> Callable[[Callable[P, Any]], Callable[P, jax.Array]]:
    """Decorates a function of single points, whose last argument is c, to broadcast and to be compiled.

    Args:
        signature: of the arguments and the result, as in `jnp.vectorize`.

    Raises:
        ValueError: the shapes of points do not fit, or c is a Python or NumPy scalar that is not positive. A c that
            is a jax.Array is not checked.
    """

    def decorate(function: Callable[P, Any]) -> Callable[P, jax.Array]:
        names = inspect.signature(function)
        vectorized = full_precision(jnp.vectorize(function, signature=signature))

        @jax.jit
        @functools.wraps(function)
        def compiled(*args: Any) -> jax.Array:
            *points, c = map(jnp.asarray, args)
            # Integers become floats; a float dtype stays what it is.
            dtype = jnp.result_type(*points, 1.0)
            return vectorized(*(x.astype(dtype) for x in points), c.astype(dtype))

        @functools.wraps(function)
        def primitive(*args: P.args, **kwargs: P.kwargs) -> jax.Array:
            bound = names.bind(*args, **kwargs).args
            check_curvature(function.__name__, bound[-1])
            try:
                return compiled(*bound)
            except ValueError as error:
                shapes = ", ".join(
                    f"{name} {list(np.shape(x))}" for name, x in zip(names.parameters, bound, strict=True)
                )
                raise ValueError(f"{function.__name__}: shapes do not fit: {shapes}") from error

        return cast(Callable[P, jax.Array], primitive)

    return decorate


def check_curvature(function: str, c: Any) -> None:
    """Raises a ValueError if c is a Python or NumPy scalar that is not positive."""
    if not isinstance(c, jax.Array) and not np.all(np.asarray(c) > 0):
        raise ValueError(f"{function}: c must be positive, as the curvature is -c; found {c}")
