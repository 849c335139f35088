"""Looking into traced programs."""

from collections.abc import Iterator
from typing import Any

from jax.extend.core import Jaxpr, jaxprs_in_params


def every_equation(jaxpr: Jaxpr) -> Iterator[Any]:
    """Those of a program and of all within."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from every_equation(inner)
