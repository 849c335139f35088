"""Checks of one's own function: its derivatives against differences, and every value for NaN and infinity."""

import jax
import jax.numpy as jnp

import hkjax
from hkjax.geometry import poincare


def naive_distance(x, y):
    """The distance of two points as textbooks write it."""
    u = poincare.mobius_add(-x, y, 1.0)
    return 2 * jnp.arctanh(jnp.linalg.norm(u))


def distance(x, y):
    """The same, finite everywhere."""
    return poincare.distance(x, y, 1.0)


@jax.custom_vjp
def halved(x):
    return jnp.sum(x**2)


halved.defvjp(lambda x: (halved(x), x), lambda x, g: (g * x,))  # the factor 2 is missing

points = (jnp.array([0.1, 0.2]), jnp.array([-0.3, 0.5]))
for function in (naive_distance, distance):
    for error in hkjax.check_gradients(function, points):
        worst = max(error.reverse, error.forward, error.second)
        print(f"{function.__name__}: derivatives by argument {error.name} are right to {worst:.0e}")
try:
    hkjax.check_gradients(halved, points[:1])
except AssertionError as error:
    print(f"halved: {error}")

for function in (naive_distance, distance):
    try:
        hkjax.check_finite(function, [1.0, 1.0])  # both points anywhere in the closed ball of radius 1
        print(f"{function.__name__}: value, gradient and Hessian are finite on the closed ball, in three dtypes")
    except AssertionError as error:
        print(f"{function.__name__}: {str(error).splitlines()[0]}")
