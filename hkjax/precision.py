"""Matrix products of float32 factors, or of factors rounded to bfloat16, the same on every device."""

import functools
from collections.abc import Callable, Sequence
from typing import Literal, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

# The dtype of factors of dense products; their sums are float32 in either case.
MatmulDtype = Literal["float32", "bfloat16"]

P = ParamSpec("P")
R = TypeVar("R")


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function so that its matrix products keep all bits of their factors.

    By default GPUs round the factors to 10 bits (TF32) and TPUs to 7 (bfloat16). For a point of the ball
    with norm 0.999 that leaves no correct bit of 1 - |x|^2.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return wrapped


def as_factor(x: jax.Array, dtype: MatmulDtype) -> jax.Array:
    """Returns x as a factor of products: unchanged, or rounded to bfloat16; its gradient is rounded likewise."""
    return x.astype(jnp.bfloat16) if dtype == "bfloat16" else x


def sum_dtype(*dtypes: jax.typing.DTypeLike) -> jnp.dtype:
    """Returns the dtype of sums of products of such factors: theirs, but float32 for bfloat16."""
    return functools.reduce(jnp.promote_types, dtypes, jnp.dtype(jnp.float32))


def sum_of_products(xs: Sequence[jax.Array], weights: Sequence[jax.Array], dtype: MatmulDtype) -> jax.Array:
    """Computes x_1 W_1 + x_2 W_2 + ..., rounded as factors, with sums in float32 or more; as one product."""
    x, w = jnp.concatenate(xs, axis=-1), jnp.concatenate(weights)
    return jnp.matmul(as_factor(x, dtype), as_factor(w, dtype), preferred_element_type=sum_dtype(x.dtype, w.dtype))
