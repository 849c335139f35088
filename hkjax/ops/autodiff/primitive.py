"""Functions as JAX primitives, traced when a program is lowered and only for its platform."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from hkjax.ops.lowerings.table import Ways, on_platforms

Function = Callable[..., jax.Array]


class Operation(Primitive):
    """A primitive that holds its ways.

    Attributes:
        ways: functions by name, the definition first.
    """

    def __init__(self, name: str, ways: Ways):
        super().__init__(name)
        self.ways = ways


def make_primitive(name: str, ways: Ways | Function, *, static: str = "", operation: str = "") -> Operation:
    """Makes a primitive that runs a function of arrays; its derivatives are left to the caller.

    Args:
        name: its name in listings of programs.
        ways: the function, from arrays to one array; or several by name, the definition first:
            `hkjax.ops.lowerings.table` chooses one for each platform.
        static: the name of its parameter that is no array, if any; passed by keyword.
        operation: its name in the table, if it differs.
    """
    others = {} if callable(ways) else on_platforms(operation or name, ways)
    ways = {"definition": ways} if callable(ways) else ways
    primitive, function = Operation(name, ways), next(iter(ways.values()))
    primitive.def_impl(jax.jit(primitive.bind, static_argnames=static or None))

    def shape(*args: Any, **params: Any) -> jax.core.ShapedArray:
        result = jax.eval_shape(partial(function, **params), *args)
        return jax.core.ShapedArray(result.shape, result.dtype)

    def batch(args: Any, axes: Any, **params: Any) -> tuple[jax.Array, int]:
        def mapped(function: Function) -> Function:
            return jax.vmap(partial(function, **params), in_axes=axes)

        on_others = {platform: mapped(other) for platform, other in others.items()}
        return jax.lax.platform_dependent(*args, default=mapped(function), **on_others), 0

    primitive.def_abstract_eval(shape)
    for platform, lowered in ((None, function), *others.items()):
        mlir.register_lowering(primitive, mlir.lower_fun(lowered, multiple_results=False), platform=platform)
    batching.primitive_batchers[primitive] = batch
    return primitive
