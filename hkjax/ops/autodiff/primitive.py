"""Functions as JAX primitives, traced where a program is lowered and for its platform alone."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

Function = Callable[..., jax.Array]


def make_primitive(name: str, function: Function, *, static: str = "", **on_platforms: Function | None) -> Primitive:
    """A primitive that runs a function of arrays; its derivatives are left to the caller.

    Args:
        name: for listings of programs.
        function: of arrays, to one.
        static: the name of its parameter that is no array, if there is one; given by keyword.
        **on_platforms: what `cpu`, `tpu` or `cuda` run instead; the same function, up to rounding.
    """
    primitive, others = Primitive(name), {p: f for p, f in on_platforms.items() if f is not None}
    primitive.def_impl(jax.jit(primitive.bind, static_argnames=static or None))

    def shape(*args: Any, **params: Any) -> jax.core.ShapedArray:
        result = jax.eval_shape(partial(function, **params), *args)
        return jax.core.ShapedArray(result.shape, result.dtype)

    def batch(args: Any, axes: Any, **params: Any) -> tuple[jax.Array, int]:
        def mapped(function: Function) -> Function:
            return jax.vmap(partial(function, **params), in_axes=axes)

        ways = {platform: mapped(other) for platform, other in others.items()}
        return jax.lax.platform_dependent(*args, default=mapped(function), **ways), 0

    primitive.def_abstract_eval(shape)
    for platform, lowered in ((None, function), *others.items()):
        mlir.register_lowering(primitive, mlir.lower_fun(lowered, multiple_results=False), platform=platform)
    batching.primitive_batchers[primitive] = batch
    return primitive
