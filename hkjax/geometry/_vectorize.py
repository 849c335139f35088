"""Functions of single points, to be called with as many as one likes."""

import functools
import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from hkjax.precision import full_precision


def pointwise(signature: str) -> Callable[[Callable], Callable]:
    """Decorates a function of single points, the last argument being c: broadcasting and jitted."""

    def decorate(function: Callable) -> Callable:
        names = inspect.signature(function)
        vectorized = full_precision(jnp.vectorize(function, signature=signature))

        @jax.jit
        @functools.wraps(function)
        def primitive(*args: ArrayLike, **kwargs: ArrayLike) -> jax.Array:
            *points, c = map(jnp.asarray, names.bind(*args, **kwargs).args)
            dtype = jnp.result_type(*points)
            return vectorized(*points, c.astype(dtype))

        return primitive

    return decorate
