"""Prints the worst errors of the ball's functions against 50-digit arithmetic, in units in the last place.

python benchmarks/ulp.py
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np

from hkjax.geometry import poincare as ball

N_POINTS = 400
# How near to the boundary the points come.
GAPS = {"float64": 1e-6, "float32": 1e-3}

Vector = list


def main() -> None:
    print("| function | dtype | worst ulp | worst ulp, condition-limited |\n|---|---|---|---|")
    for dtype, gap in GAPS.items():
        for name in EXACT:
            plain, limited = worst_ulp(name, dtype, gap, N_POINTS)
            print(f"| {name} | {dtype} | {plain:.1f} | {limited:.1f} |")


def worst_ulp(name: str, dtype: str, gap: float, n: int, d: int = 3, seed: int = 0) -> tuple[float, float]:
    """The worst error over random pairs of points, in ulp of the exact answer's norm.

    Args:
        name: of the function.
        dtype: that it is computed in.
        gap: the points' norms are up to 1 - gap, half of them log-uniform in the norm, half in the gap.
        n, d, seed: points, their dimension, and the seed that draws them.

    Returns:
        The worst error, and the worst where each is divided by the condition of its point: how much
        the exact answer moves, in ulp, where each coordinate of the arguments moves by half an ulp of its
        own; at least 1. No function of rounded arguments can be expected to do better than that.
    """
    random = np.random.default_rng(seed)
    x, y = (_points(random, n, d, gap, dtype) for _ in range(2))
    with jax.enable_x64(True):
        found = np.asarray(getattr(ball, name)(jnp.asarray(x), jnp.asarray(y), jnp.asarray(1, dtype)), np.float64)
    unit, plain, limited = float(np.finfo(dtype).eps), 0.0, 0.0
    for i in range(n):
        with mp.workdps(50):
            a, b = ([mp.mpf(float(v)) for v in side[i]] for side in (x, y))
            exact = EXACT[name](a, b)
            size = _norm(exact)
            if not size:
                continue
            error = float(_norm(_minus([mp.mpf(float(v)) for v in np.atleast_1d(found[i])], exact)) / size / unit)
            condition = _condition(EXACT[name], a, b, exact) / 2
        plain, limited = max(plain, error), max(limited, error / max(1.0, condition))
    return plain, limited


def _points(random: np.random.Generator, n: int, d: int, gap: float, dtype: str) -> np.ndarray:
    inner = 10 ** random.uniform(-8, 0, n) * (1 - gap)
    outer = 1 - gap ** random.uniform(0, 1, n)
    norms = np.where(random.random(n) < 0.5, inner, outer)
    directions = random.normal(size=(n, d))
    return (norms[:, None] * directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(dtype)


def _condition(function: Callable, a: Vector, b: Vector, exact: Vector) -> float:
    """Relative change of the answer for a relative change of each coordinate, summed."""
    step, total = mp.mpf(10) ** -25, mp.mpf(0)
    for side in (0, 1):
        for k in range(len(a)):
            moved = [list(a), list(b)]
            moved[side][k] *= 1 + step
            total += _norm(_minus(function(*moved), exact)) / step
    return float(total / _norm(exact))


def _dot(a: Vector, b: Vector):
    return mp.fsum(p * q for p, q in zip(a, b, strict=True))


def _norm(a: Vector):
    return mp.sqrt(_dot(a, a))


def _minus(a: Vector, b: Vector) -> Vector:
    return [p - q for p, q in zip(a, b, strict=True)]


def _mobius_add(x: Vector, y: Vector) -> Vector:
    xy, xx, yy = _dot(x, y), _dot(x, x), _dot(y, y)
    scale = 1 + 2 * xy + xx * yy
    return [((1 + 2 * xy + yy) * p + (1 - xx) * q) / scale for p, q in zip(x, y, strict=True)]


def _exp_map(x: Vector, v: Vector) -> Vector:
    size = _norm(v)
    return _mobius_add(x, [mp.tanh(size / (1 - _dot(x, x))) * p / size for p in v])


def _log_map(x: Vector, y: Vector) -> Vector:
    difference = _mobius_add([-p for p in x], y)
    size = _norm(difference)
    return [(1 - _dot(x, x)) * mp.atanh(size) * p / size for p in difference]


def _distance(x: Vector, y: Vector) -> Vector:
    return [2 * mp.atanh(_norm(_mobius_add([-p for p in x], y)))]


EXACT = {"mobius_add": _mobius_add, "exp_map": _exp_map, "log_map": _log_map, "distance": _distance}

if __name__ == "__main__":
    main()
