"""A loss of one's own: HKRM's recommendation loss, with HAKG's entailment cones as a regulariser."""

import jax
import jax.numpy as jnp
import optax

from hkjax import hakg_equations as hakg
from hkjax import hkrm_equations as hkrm

N_USERS, N_ITEMS, N_GENRES, DIM = 40, 60, 5, 8
user, item = (x.ravel() for x in jnp.meshgrid(jnp.arange(N_USERS), jnp.arange(N_ITEMS), indexing="ij"))
genre = jnp.arange(N_ITEMS) % N_GENRES
likes = (user % N_GENRES == genre[item]).astype(jnp.float32)  # each user likes one genre

sizes = {"user": N_USERS, "item": N_ITEMS, "genre": N_GENRES}
keys = jax.random.split(jax.random.key(0), len(sizes))
params = {name: 0.3 * jax.random.normal(key, (n, DIM)) for key, (name, n) in zip(keys, sizes.items(), strict=True)}


def pair_loss(params, user, item, y):
    """Eq. 10 and 12 of one pair; the genre's embedding stands for the item's attribute level."""
    q, t, t_attribute = params["user"][user], params["item"][item], params["genre"][genre[item]]
    return hkrm.recommendation_loss(y, hkrm.relevance(q, jnp.zeros(DIM), t, t_attribute))


def cone_loss(params, item):
    """How far, as an angle, an item lies outside of its genre's cone."""
    points = hakg.exp_0(params["item"][item]), hakg.exp_0(params["genre"][genre[item]])
    return hakg.angle_loss(*points, K=0.1)


def loss(params):
    outside = jax.vmap(cone_loss, (None, 0))(params, jnp.arange(N_ITEMS))
    value = jax.vmap(pair_loss, (None, 0, 0, 0))(params, user, item, likes).mean() + outside.mean()
    return value, jnp.sum(outside == 0)


optimizer = optax.adam(0.02)
state = optimizer.init(params)
step = jax.jit(jax.value_and_grad(loss, has_aux=True))
for i in range(301):
    (value, inside), gradients = step(params)
    if i % 100 == 0:
        print(f"step {i}: loss {value:.3f}, {inside} of {N_ITEMS} items in the cone of their genre")
    updates, state = optimizer.update(gradients, state)
    params = optax.apply_updates(params, updates)
