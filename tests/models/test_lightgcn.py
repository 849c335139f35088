import jax
import jax.numpy as jnp
import numpy as np

from hkjax.models.lightgcn import LightGCNConfig, lightgcn


def test_layers_are_averaged_over_the_normalised_adjacency(tiny_data):
    recommender = lightgcn(LightGCNConfig(dim=4, layers=2), tiny_data, batch_size=32)
    params = jax.jit(recommender.init)(jax.random.key(0))
    found = jax.jit(recommender.encode)(params, recommender.inputs)
    positives, n_users = tiny_data.train.positives(), tiny_data.n_users
    adjacency = np.zeros((n_users + tiny_data.n_items,) * 2)
    adjacency[positives.users, n_users + positives.items] = adjacency[n_users + positives.items, positives.users] = 1
    scale = 1 / np.sqrt(np.maximum(adjacency.sum(1), 1))
    step = scale[:, None] * adjacency * scale
    x = np.concatenate([params["user"], params["item"]])
    expected = (x + step @ x + step @ step @ x) / 3
    np.testing.assert_allclose(np.concatenate([found["user"], found["item"]]), expected, atol=1e-6)


def test_the_bpr_loss_by_hand(tiny_data):
    recommender = lightgcn(LightGCNConfig(dim=4, layers=0, l2=0.5), tiny_data, batch_size=32)
    zeros = jax.tree.map(np.zeros_like, jax.jit(recommender.init)(jax.random.key(0)))
    ones = {"user": jnp.ones_like(zeros["user"]), "item": zeros["item"]}
    batch = {
        "user": jnp.array([0, 1]),
        "item": jnp.array([0, 1]),
        "example": jnp.arange(2),
        "weight": jnp.array([1.0, 0.0]),
    }
    value, _ = jax.jit(recommender.loss)(ones, recommender.inputs, batch, jax.random.key(0))
    np.testing.assert_allclose(value, (np.log(2) + 0.5 * 4 / 2) / 2, rtol=1e-6)
