"""Functions with a custom reverse pass that keep forward mode and derivatives of any order.

`jax.custom_vjp` gives up forward mode, and `jax.custom_derivatives.linear_call` second derivatives. Here the tangent of
a function is a primitive, and the primitive's transpose is the reverse pass.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

Function = Callable[[Any, Any], jax.Array]
Reverse = Callable[[Any, Any, jax.Array], Any]


def with_transpose(function: Function, reverse: Reverse) -> Function:
    """Gives a function a reverse pass.

    Args:
        function: (x, constants) -> array, of a pytree of floats and one of any arrays; closes over no traced value.
        reverse: (x, constants, cotangent) -> cotangent of x; also differentiable. Derivatives by constants are those
            of the function.
    """

    @jax.custom_jvp
    def with_tangent(x: Any, constants: Any) -> jax.Array:
        return function(x, constants)

    @with_tangent.defjvp
    def _jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
        leaves, tree = jax.tree.flatten((tangents[0], *primals))
        result = with_tangent(*primals)
        shape = jax.core.ShapedArray(result.shape, result.dtype)
        tangent = _tangent.bind(*leaves, function=function, reverse=reverse, tree=tree, shape=shape)
        (x, constants), by_constants = primals, tangents[1]
        if any(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in jax.tree.leaves(constants)):
            tangent += jax.jvp(partial(function, x), (constants,), (by_constants,))[1]
        return result, tangent

    return with_tangent


def _call(*leaves: jax.Array, function: Function, tree: Any, **_: Any) -> jax.Array:
    tangent, x, constants = jax.tree.unflatten(tree, leaves)
    return jax.jvp(lambda x: function(x, constants), (x,), (tangent,))[1]


def _jvp(primals: Any, tangents: Any, **params: Any) -> tuple[jax.Array, jax.Array]:
    n = _n_tangents(params["tree"])
    terms = []
    if any(type(t) is not ad.Zero for t in tangents[:n]):
        terms.append(_tangent.bind(*map(ad.instantiate_zeros, tangents[:n]), *primals[n:], **params))
    moving = [i for i in range(n, len(primals)) if type(tangents[i]) is not ad.Zero]
    if moving:

        def of_moving(*values: jax.Array) -> jax.Array:
            leaves = list(primals)
            for i, value in zip(moving, values, strict=True):
                leaves[i] = value
            return _call(*leaves, **params)

        values, directions = zip(*((primals[i], tangents[i]) for i in moving), strict=True)
        terms.append(jax.jvp(of_moving, values, directions)[1])
    return _tangent.bind(*primals, **params), sum(terms[1:], start=terms[0])


def _transpose(cotangent: Any, *leaves: Any, reverse: Reverse, tree: Any, **_: Any) -> list[jax.Array | None]:
    _, x, constants = jax.tree.unflatten(tree, leaves)
    found = jax.tree.leaves(reverse(x, constants, cotangent))
    wanted = [c if ad.is_undefined_primal(leaf) else None for leaf, c in zip(leaves, found, strict=False)]
    return wanted + [None] * (len(leaves) - len(wanted))


def _n_tangents(tree: Any) -> int:
    return tree.children()[0].num_leaves


def _batch(leaves: Any, axes: Any, **params: Any) -> tuple[jax.Array, int]:
    return jax.vmap(partial(_call, **params), in_axes=axes)(*leaves), 0


_tangent = Primitive("tangent")
_tangent.def_impl(jax.jit(_call, static_argnames=("function", "reverse", "tree", "shape")))
_tangent.def_abstract_eval(lambda *leaves, shape, **params: shape)
mlir.register_lowering(_tangent, mlir.lower_fun(_call, multiple_results=False))
batching.primitive_batchers[_tangent] = _batch
ad.primitive_jvps[_tangent] = _jvp
ad.primitive_transposes[_tangent] = _transpose
