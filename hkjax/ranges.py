"""Scalars with bounds: dataclasses with the permitted values of their fields in annotations."""

import math
import typing
from dataclasses import dataclass
from typing import Annotated

from hkjax.errors import InputError, nearest


@dataclass(frozen=True)
class Range:
    """Bounds of a scalar: low <= scalar <= high, or above < scalar < below, or one of each."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high and (self.above < number < self.below)

    def __str__(self) -> str:
        bounds = (("at least", self.low), ("above", self.above), ("at most", self.high), ("below", self.below))
        named = [f"{words} {bound:g}" for words, bound in bounds if math.isfinite(bound)]
        return " and ".join(named) or "a finite number"


class Checked:
    """A dataclass that rejects values outside the `Range` of an Annotated field or the choices of a Literal.

    Raises:
        InputError: names the field, its permitted values and the value.
    """

    def __post_init__(self) -> None:
        for name, hint in typing.get_type_hints(type(self), include_extras=True).items():
            if typing.get_origin(hint) is typing.Literal and getattr(self, name) not in typing.get_args(hint):
                choices = list(map(str, typing.get_args(hint)))
                value = getattr(self, name)
                raise InputError(
                    f"{name}: unknown value {value!r}; choose one of {', '.join(choices)}{nearest(str(value), choices)}"
                )
            for bounds in getattr(hint, "__metadata__", ()):
                if getattr(self, name) not in bounds:
                    raise InputError(f"{name}: expected {bounds}, found {getattr(self, name)}")


Count = Annotated[int, Range(low=1)]
Weight = Annotated[float, Range(low=0)]
Fraction = Annotated[float, Range(above=0, high=1)]
