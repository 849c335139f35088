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
# The least distance of points from the boundary.
GAPS = {"float64": 1e-6, "float32": 1e-3}

Vector = list


def main() -> None:
    print("| function | dtype | worst ulp | worst ulp, condition-limited |\n|---|---|---|---|")
    for dtype, gap in GAPS.items():
        for name in FUNCTIONS:
            plain, limited = worst_ulp(name, dtype, gap, N_POINTS)
            print(f"| {name} | {dtype} | {plain:.1f} | {limited:.1f} |")


def worst_ulp(name: str, dtype: str, gap: float, n: int, d: int = 3, seed: int = 0) -> tuple[float, float]:
    """Computes the worst error over random pairs of points, in ulp of the exact answer's norm.

    Args:
        name: of the function.
        dtype: of the computation.
        gap: the points' norms are up to 1 - gap, half of them log-uniform in the norm, half in the gap; a
            quarter of the pairs are near to each other.
        n, d, seed: points, their dimension, and the seed that draws them.

    Returns:
        The worst error, and the worst where each is divided by the condition of its point, at least 1. The
        condition is how far the exact answer moves, in ulp, when each coordinate of the arguments moves by half
        an ulp of its own. No function of rounded arguments can be expected to do better.
    """
    random = np.random.default_rng(seed)
    x, y = _points(random, n, d, gap, dtype)
    function, exactly = FUNCTIONS[name]
    with jax.enable_x64(True):
        found = np.asarray(function(jnp.asarray(x), jnp.asarray(y), jnp.asarray(1, dtype)), np.float64)
    unit, plain, limited = float(np.finfo(dtype).eps), 0.0, 0.0
    for i in range(n):
        with mp.workdps(50):
            a, b = ([mp.mpf(float(v)) for v in side[i]] for side in (x, y))
            exact = exactly(a, b)
            size = _norm(exact)
            if not size:
                continue
            error = float(_norm(_minus([mp.mpf(float(v)) for v in np.atleast_1d(found[i])], exact)) / size / unit)
            condition = _condition(exactly, a, b, exact) / 2
        plain, limited = max(plain, error), max(limited, error / max(1.0, condition))
    return plain, limited


def _points(random: np.random.Generator, n: int, d: int, gap: float, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    def drawn() -> np.ndarray:
        inner = 10 ** random.uniform(-8, 0, n) * (1 - gap)
        outer = 1 - gap ** random.uniform(0, 1, n)
        return np.where(random.random(n) < 0.5, inner, outer)[:, None] * directions()

    def directions() -> np.ndarray:
        vectors = random.normal(size=(n, d))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    x, y = drawn(), drawn()
    apart = 10 ** random.uniform(-6, -1, (n, 1))
    beside = (1 - apart) * x + 0.3 * apart * np.linalg.norm(x, axis=1, keepdims=True) * directions()
    return x.astype(dtype), np.where(random.random((n, 1)) < 0.25, beside, y).astype(dtype)


def _condition(function: Callable, a: Vector, b: Vector, exact: Vector) -> float:
    """Computes the relative change of the answer for one of each coordinate, summed."""
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


def _gyration(x: Vector, y: Vector) -> Vector:
    """Computes the gyration of y itself: -(x (+) y) (+) (x (+) (y (+) y))."""
    total = _mobius_add(x, y)
    return _mobius_add([-p for p in total], _mobius_add(x, _mobius_add(y, y)))


def _parallel_transport(x: Vector, y: Vector) -> Vector:
    """Transports the tangent x, shrunk to a point so that the gyration applies to it."""
    small = [p / 2 for p in x]
    total = _mobius_add(y, [-p for p in x])
    turned = _mobius_add([-p for p in total], _mobius_add(y, _mobius_add([-p for p in x], small)))
    return [2 * (1 - _dot(y, y)) / (1 - _dot(x, x)) * p for p in turned]


def _midpoint(x: Vector, y: Vector) -> Vector:
    toward = _mobius_add([-p for p in x], y)
    size = _norm(toward)
    return _mobius_add(x, [mp.tanh(mp.atanh(size) / 2) * p / size for p in toward])


FUNCTIONS = {
    "mobius_add": (ball.mobius_add, _mobius_add),
    "exp_map": (ball.exp_map, _exp_map),
    "log_map": (ball.log_map, _log_map),
    "distance": (ball.distance, _distance),
    "gyration": (lambda x, y, c: ball.gyration(x, y, y, c), _gyration),
    "parallel_transport": (lambda x, y, c: ball.parallel_transport(x, y, x, c), _parallel_transport),
    "midpoint": (lambda x, y, c: ball.midpoint(jnp.stack([x, y], 1), jnp.ones(2, x.dtype), c), _midpoint),
}

if __name__ == "__main__":
    main()
