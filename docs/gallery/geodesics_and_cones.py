"""The Poincare ball: a point moves along a geodesic, cones hold what is below them, isometries keep distances."""

import jax
import jax.numpy as jnp

from hkjax.geometry import cones, poincare

C = 1.0  # the ball's curvature is -C

x, y = jnp.array([-0.5, 0.2]), jnp.array([0.6, 0.5])
velocity = poincare.log_map(x, y, C)  # the geodesic that is at x at time 0 and at y at time 1
times = jnp.linspace(0.0, 1.0, 5)
path = poincare.exp_map(x, times[:, None] * velocity, C)  # one call: functions broadcast
print("time  point           from x  from 0")
for t, point, gone, depth in zip(
    times, path, poincare.distance(x, path, C), poincare.distance_zero(path, C), strict=True
):
    print(f"{t:.2f}  ({point[0]:+.3f}, {point[1]:+.3f})   {gone:.3f}   {depth:.3f}")

apex = jnp.array([0.3, 0.0])  # a general concept; its cone opens away from 0
half = cones.half_aperture(apex, 0.2, C)
print(f"\nthe cone at (0.3, 0) has a half-angle of {jnp.degrees(half):.0f} degrees")
for point in jnp.array([[0.6, 0.1], [0.9, 0.3], [0.2, 0.5], [-0.4, 0.0]]):
    angle = cones.angle_at_apex(apex, point, C)
    print(f"({point[0]:.1f}, {point[1]:.1f}) at {jnp.degrees(angle):.0f} degrees: {'in' if angle < half else 'out'}")

with jax.enable_x64(True):
    a, b, u, v = poincare.exp_map_zero(jax.random.normal(jax.random.key(0), (4, 1000, 5)), C)
    moved = [poincare.mobius_add(a, point, C) for point in (u, v)]
    error = jnp.abs(poincare.distance(*moved, C) / poincare.distance(u, v, C) - 1).max()
    print(f"\ntranslations keep distances to {error:.0e}")
    carried = poincare.parallel_transport(u, v, b, C)
    lengths = [jnp.linalg.norm(w, axis=-1) * poincare.conformal_factor(p, C) for w, p in ((b, u), (carried, v))]
    print(f"parallel transport keeps lengths to {jnp.abs(lengths[1] / lengths[0] - 1).max():.0e}")
    there = poincare.exp_map(u, poincare.log_map(u, v, C), C)
    print(f"exp_map undoes log_map to {jnp.abs(there - v).max():.0e}")
