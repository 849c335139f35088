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
    """Makes a function of single points broadcast, and compiles it; c is its last argument.

    Args:
        signature: of the arguments and the result, as in `jnp.vectorize`.
    """

    def decorate(function: Callable[P, Any]) -> Callable[P, jax.Array]:
        names = inspect.signature(function)
        vectorized = full_precision(jnp.vectorize(function, signature=signature))

        @jax.jit
        @functools.wraps(function)
        def primitive(*args: P.args, **kwargs: P.kwargs) -> jax.Array:
            *points, c = map(jnp.asarray, names.bind(*args, **kwargs).args)
            # Integers become floats; a float dtype is kept.
            dtype = jnp.result_type(*points, 1.0)
            return vectorized(*(x.astype(dtype) for x in points), c.astype(dtype))

        return cast(Callable[P, jax.Array], primitive)

    return decorate
