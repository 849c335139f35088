"""Checks of derivatives against high-order differences, in float64."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Central differences of the sixth order: f'(0) is about the sum of w (f(kh) - f(-kh)) / h.
_STENCIL = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))
_STEPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


class GradientError(NamedTuple):
    """The errors of derivatives with respect to one leaf of the arguments, against differences.

    They are relative to the larger of the derivative itself and its typical size. That is the norm of
    the leaf's gradient divided by the root of its number of entries.

    Attributes:
        name: the leaf's path.
        size: its number of entries.
        reverse: worst error of the gradient, along random directions and at single entries.
        forward: worst error of jax.jvp along the same directions; None where it is not defined.
        second: worst error of the second derivative along the same directions.
        entry: index of the worst entry of those checked one by one.
        at_entry: its error.
    """

    name: str
    size: int
    reverse: float
    forward: float | None
    second: float
    entry: tuple[int, ...]
    at_entry: float


class _Derivatives(NamedTuple):
    """The derivatives of a scalar function of a list of leaves, each compiled once.

    Attributes:
        first: (point, tangents) -> (value, derivative along the tangents in forward mode, or NaN
            where that is not defined).
        second: (point, tangents) -> (gradient, second derivative along the tangents).
    """

    first: Callable[..., Any]
    second: Callable[..., Any]


def check_gradients(
    function: Callable[..., jax.Array],
    args: tuple[Any, ...],
    *,
    tolerance: float = 1e-6,
    second_tolerance: float = 1e-4,
    directions: int = 2,
    entries: int = 3,
    seed: int = 0,
) -> list[GradientError]:
    """Checks first and second derivatives of a function at a point.

    Floating-point leaves of the arguments are cast to float64. Along each direction the derivative is
    compared with central differences of the sixth order. Of the steps 1e-2, 1e-3, ... 1e-6 the one is
    used at which the difference changes least from the step before. Second derivatives are compared with
    differences of the gradient. They are taken by forward over reverse mode, or by reverse over reverse
    mode where forward mode is not defined.

    Args:
        function: (*args) -> an array; more than one entry is reduced by a random inner product.
        args: pytrees of arrays; leaves that are not floating-point are held fixed.
        tolerance: largest error of first derivatives.
        second_tolerance: largest error of second derivatives.
        directions: random directions per leaf.
        entries: entries per leaf that are checked one by one: that of the largest derivative, and random ones.
        seed: of the random choices.

    Returns:
        One `GradientError` per floating-point leaf, in the order of the leaves.

    Raises:
        AssertionError: an error exceeds its tolerance; the message names leaf, kind and entry.
    """
    errors = measure_gradients(function, args, directions=directions, entries=entries, seed=seed)
    for e in errors:
        where = f"{e.name}: worst entry {e.entry} with error {e.at_entry:.1e}"
        assert e.reverse <= tolerance, f"reverse-mode error {e.reverse:.1e} exceeds {tolerance:.0e} in {where}"
        assert (e.forward or 0) <= tolerance, f"forward-mode error {e.forward:.1e} exceeds {tolerance:.0e} in {where}"
        assert e.second <= second_tolerance, (
            f"second-order error {e.second:.1e} exceeds {second_tolerance:.0e} in {where}"
        )
    return errors


def measure_gradients(
    function: Callable[..., jax.Array], args: tuple[Any, ...], *, directions: int = 2, entries: int = 3, seed: int = 0
) -> list[GradientError]:
    """Returns the errors of `check_gradients` without a check."""
    random = np.random.default_rng(seed)
    with jax.enable_x64(True):
        args = jax.tree.map(_in_double, args)
        paths, structure = jax.tree_util.tree_flatten_with_path(args)
        leaves = [leaf for _, leaf in paths]
        moving = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        shape = jax.eval_shape(function, *args).shape
        weight = jnp.ones(()) if shape == () else jnp.asarray(random.normal(size=shape))
        rest = ([None if i in moving else leaf for i, leaf in enumerate(leaves)], weight)

        def scalar(chosen: list[jax.Array], fixed: list[Any], weight: jax.Array) -> jax.Array:
            values = iter(chosen)
            whole = [next(values) if leaf is None else leaf for leaf in fixed]
            return jnp.sum(weight * function(*jax.tree_util.tree_unflatten(structure, whole)))

        point = [np.asarray(leaves[i]) for i in moving]
        derivatives = _derivatives(scalar, point, rest)
        names = [jax.tree_util.keystr(paths[i][0]) for i in moving]
        return [
            _measure_leaf(name, _Leaf(derivatives, point, rest, k), random, directions, entries)
            for k, name in enumerate(names)
        ]


def _derivatives(scalar: Callable[..., jax.Array], point: list[np.ndarray], rest: tuple[Any, ...]) -> _Derivatives:
    def first(p: list[jax.Array], tangents: list[jax.Array], *rest: Any) -> tuple[jax.Array, jax.Array]:
        return jax.jvp(lambda p: scalar(p, *rest), (p,), (tangents,))

    def second(p: list[jax.Array], tangents: list[jax.Array], *rest: Any) -> tuple[list[jax.Array], jax.Array]:
        gradient, change = jax.jvp(lambda p: jax.grad(scalar)(p, *rest), (p,), (tangents,))
        return gradient, _dot(change, tangents)

    compiled = jax.jit(first)
    try:
        compiled.lower(point, point, *rest)
    except TypeError:  # A custom_vjp inside: forward mode is not defined.
        return _Derivatives(*map(jax.jit, _reverse_alone(scalar)))
    return _Derivatives(compiled, jax.jit(second))


def _reverse_alone(scalar: Callable[..., jax.Array]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Returns both functions of `_Derivatives` without forward mode."""

    def first(p: list[jax.Array], tangents: list[jax.Array], *rest: Any) -> tuple[jax.Array, jax.Array]:
        del tangents
        return scalar(p, *rest), jnp.asarray(jnp.nan)

    def second(p: list[jax.Array], tangents: list[jax.Array], *rest: Any) -> tuple[list[jax.Array], jax.Array]:
        def slope(p: list[jax.Array]) -> tuple[jax.Array, list[jax.Array]]:
            gradient = jax.grad(scalar)(p, *rest)
            return _dot(gradient, tangents), gradient

        change, gradient = jax.grad(slope, has_aux=True)(p)
        return gradient, _dot(change, tangents)

    return first, second


class _Leaf(NamedTuple):
    """The function near a point, where only leaf k moves."""

    derivatives: _Derivatives
    point: list[np.ndarray]
    rest: tuple[Any, ...]
    k: int

    def tangents(self, direction: np.ndarray) -> list[np.ndarray]:
        """Returns the point's tangents for a direction of the leaf."""
        return [direction if i == self.k else np.zeros_like(x) for i, x in enumerate(self.point)]

    def value(self, direction: np.ndarray, h: float) -> jax.Array:
        """Returns the function's value h along the direction from the point."""
        return self.derivatives.first(self._moved(direction, h), self.tangents(direction), *self.rest)[0]

    def forward(self, direction: np.ndarray) -> jax.Array:
        """Returns the forward-mode derivative along the direction."""
        return self.derivatives.first(self.point, self.tangents(direction), *self.rest)[1]

    def second(self, direction: np.ndarray, h: float = 0.0) -> tuple[np.ndarray, jax.Array]:
        """Returns the leaf's gradient and the second derivative along the direction, h away from the point."""
        gradients, change = self.derivatives.second(self._moved(direction, h), self.tangents(direction), *self.rest)
        return np.asarray(gradients[self.k]), change

    def _moved(self, direction: np.ndarray, h: float) -> list[np.ndarray]:
        return [x + h * direction if i == self.k else x for i, x in enumerate(self.point)]


def _measure_leaf(name: str, leaf: _Leaf, random: np.random.Generator, directions: int, entries: int) -> GradientError:
    x = leaf.point[leaf.k]
    gradient = leaf.second(np.zeros_like(x))[0]
    scale = float(np.linalg.norm(gradient)) / np.sqrt(max(x.size, 1))
    along = [_measure_direction(leaf, gradient, scale, random) for _ in range(directions)]
    reverse, forward, second = (max(errors) for errors in zip(*along, strict=True))
    entry, at_entry = _measure_entries(leaf, gradient, scale, random, entries)
    shown = None if np.isnan(forward) else forward
    return GradientError(name, x.size, max(reverse, at_entry), shown, second, entry, at_entry)


def _measure_direction(
    leaf: _Leaf, gradient: np.ndarray, scale: float, random: np.random.Generator
) -> tuple[float, float, float]:
    """Returns the errors of reverse mode, forward mode (NaN where it is not defined) and second derivative."""
    drawn = random.normal(size=gradient.shape)
    direction = np.asarray(drawn / max(float(np.linalg.norm(drawn)), 1e-300))
    expected = _difference(partial(leaf.value, direction))
    reverse = _relative(np.vdot(gradient, direction), expected, scale)
    found = float(leaf.forward(direction))
    forward = np.nan if np.isnan(found) else _relative(found, expected, scale)
    expected = _difference(lambda h: np.vdot(leaf.second(direction, h)[0], direction))
    return reverse, forward, _relative(leaf.second(direction)[1], expected, scale)


def _measure_entries(
    leaf: _Leaf, gradient: np.ndarray, scale: float, random: np.random.Generator, n: int
) -> tuple[tuple[int, ...], float]:
    """Checks n entries: that of the largest derivative and random ones; returns the worst and its error."""
    flat = gradient.reshape(-1)
    chosen = {int(np.argmax(np.abs(flat))), *random.integers(flat.size, size=n - 1).tolist()} if flat.size else set()
    worst, at_worst = 0, 0.0
    for entry in chosen:
        axis = (np.arange(flat.size) == entry).astype(float).reshape(gradient.shape)
        error = _relative(flat[entry], _difference(partial(leaf.value, axis)), scale)
        if error >= at_worst:
            worst, at_worst = entry, error
    return tuple(int(i) for i in np.unravel_index(worst, gradient.shape)) if gradient.shape else (), at_worst


def _dot(a: list[jax.Array], b: list[jax.Array]) -> jax.Array:
    return sum((jnp.vdot(x, y) for x, y in zip(a, b, strict=True)), jnp.zeros(()))


def _in_double(leaf: Any) -> jax.Array:
    array = jnp.asarray(leaf)
    return array.astype(jnp.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _difference(function: Callable[[float], jax.Array]) -> float:
    """Estimates f'(0) at the step where the central difference is steadiest."""
    found = [sum(w * float(function(k * h) - function(-k * h)) for k, w in _STENCIL) / h for h in _STEPS]
    changes = np.abs(np.diff(found))
    best = int(np.argmin(changes))
    return found[best + 1]


def _relative(found: jax.Array | float, expected: float, scale: float) -> float:
    return abs(float(found) - expected) / max(abs(float(found)), abs(expected), scale, 1e-300)
