"""JAX primitives for the partial derivatives of a trilinear form, each the transpose of another.

A sum over edges of w_e <y_i, x_j> is linear in the weights w, in the rows y and in the columns x of a sparse matrix.
Its three partial derivatives,

    by w, from y and x    the inner products of rows and columns at the edges (sddmm),
    by y, from w and x    the product of the matrix with x (spmm),
    by x, from w and y    the product of its transpose with y,

are bilinear, and the transposes of each are the other two. As primitives with these transposes they have derivatives
of either mode and any order. Automatic differentiation of their loops would make unordered scatters, and copies of all
edges' rows.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad

from hkjax.ops.autodiff.primitive import Operation, make_primitive
from hkjax.ops.lowerings.table import Ways

Function = Callable[..., jax.Array]


def bilinear_primitives(
    name: str,
    by_weights: Ways | Function,
    by_rows: Ways | Function,
    by_columns: Ways | Function,
    operation: str = "",
) -> tuple[Function, Function, Function]:
    """Makes primitives of the three partial derivatives of a trilinear form.

    Args:
        name: the form's name in listings of programs.
        by_weights, by_rows, by_columns: (a, b, *layout, n) -> array with leading axis n, or several such functions by
            name as in `make_primitive`. a and b are the form's other two arguments, in the order weights, rows,
            columns; layout are integer arrays that define its edges.
        operation: the form's name in `hkjax.ops.lowerings.table`, if it differs.

    Returns:
        The three primitives in that order, called in the same way, n by keyword.
    """

    def part(by: str, ways: Ways | Function) -> Operation:
        return make_primitive(f"{name}_by_{by}", ways, static="n", operation=operation or name)

    w, y, x = part("weights", by_weights), part("rows", by_rows), part("columns", by_columns)
    _define_derivatives(w, left=y.bind, right=x.bind)
    _define_derivatives(y, left=w.bind, right=_swapped(x.bind))
    _define_derivatives(x, left=_swapped(w.bind), right=_swapped(y.bind))
    return w.bind, y.bind, x.bind


def _swapped(function: Function) -> Function:
    return lambda a, b, *layout, n: function(b, a, *layout, n=n)


def _define_derivatives(primitive: Primitive, left: Function, right: Function) -> None:
    """Defines both modes of differentiation for a bilinear primitive of a and b.

    Args:
        primitive: the function.
        left, right: its transposes with respect to a and to b, functions of the cotangent and the other argument.
    """

    def jvp(primals: Any, tangents: Any, *, n: int) -> tuple[jax.Array, jax.Array]:
        (a, b, *layout), (da, db, *_) = primals, tangents
        terms = [
            primitive.bind(*pair, *layout, n=n)
            for pair in ((da, b), (a, db))
            if not any(type(t) is ad.Zero for t in pair)
        ]
        return primitive.bind(*primals, n=n), sum(terms[1:], start=terms[0])

    def transpose(cotangent: Any, a: Any, b: Any, *layout: jax.Array, n: int) -> list[jax.Array | None]:
        del n
        nothing = [None] * len(layout)
        if ad.is_undefined_primal(a):
            return [left(cotangent, b, *layout, n=a.aval.shape[0]).astype(a.aval.dtype), None, *nothing]
        return [None, right(cotangent, a, *layout, n=b.aval.shape[0]).astype(b.aval.dtype), *nothing]

    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
