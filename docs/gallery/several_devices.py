"""Several devices: pmap of one's own loss, and a model whose tables are divided among them."""

import os

os.environ |= {"JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"}  # before JAX is imported: four devices of one CPU

import jax
import jax.numpy as jnp
import optax

import hkjax
from hkjax import hakg_equations as hakg
from hkjax.training.trainer import make_trainer

devices = jax.local_devices()
print(f"{len(devices)} devices")


def loss(e_i, e_t):
    return jax.vmap(lambda i, t: hakg.angle_loss(i, t, K=0.1))(e_i, e_t).mean()


pairs = hakg.exp_0(0.5 * jax.random.normal(jax.random.key(0), (2, len(devices), 100, 8)))  # 100 pairs for each device
parallel = jax.pmap(lambda i, t: jax.lax.pmean(loss(i, t), "devices"), "devices", devices=devices)
whole = loss(*pairs.reshape(2, -1, 8))
print(f"own loss: {parallel(*pairs)[0]:.5f} by pmap, {whole:.5f} on one device")

data = hkjax.synthetic_dataset(hkjax.SyntheticConfig(n_users=400), hkjax.DataConfig(split="per_user"), seed=0)
model = hkjax.lightgcn(hkjax.LightGCNConfig(dim=16, layers=1), data, batch_size=512)


def train(mesh):
    """Two epochs on (devices along DATA, devices along ROWS)."""
    trainer = make_trainer(model, optax.adam(0.01), mesh, "shard_map")
    state = trainer.init(jax.random.key(0))
    for epoch in range(2):
        order = trainer.epoch_order(jax.random.key(epoch))
        state = trainer.train_steps(state, order, jnp.int32(model.batches.steps_per_epoch), jax.random.key(9))
    return state.params["user"]


one = train((1, 1))
for mesh in ((4, 1), (1, 4)):
    users = train(mesh)
    rows = [len(shard.data) for shard in users.addressable_shards]
    error = jnp.abs(users - one).max()
    print(f"mesh {mesh}: the devices hold {rows} of {data.n_users} users' rows, {error:.0e} from one device's")
