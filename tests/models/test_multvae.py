"""MultVAE's likelihood against its definition, by hand on one user."""

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.models.multvae import MultVAEConfig, latent, logits, multvae
from hkjax.ops.lists import dense_rows


def test_without_dropout_the_loss_is_the_negative_elbo_at_the_mean_up_to_the_draw(tiny_data):
    model = multvae(MultVAEConfig(dim=3, hidden=5, dropout=0.0, kl_weight=0.5), tiny_data, batch_size=1)
    params = model.init(jax.random.key(0))
    # Without variance nothing is drawn.
    params["bias"]["log_variance"] = jnp.full(3, -60.0)
    user = int(model.batches.columns["user"][4])
    batch = {"user": jnp.array([user]), "weight": jnp.ones(1)}
    value, metrics = model.loss(params, model.inputs, batch, jax.random.key(1))
    x = dense_rows(model.inputs["history"], jnp.array([user]), tiny_data.n_items)
    mean, log_variance = latent(params, x, x)
    chances = jax.nn.softmax(logits(params, mean))
    likelihood = np.sum(np.asarray(x) * np.log(chances))
    divergence = 0.5 * np.sum(np.exp(log_variance) + mean**2 - 1 - log_variance)
    np.testing.assert_allclose(value, 0.5 * divergence - likelihood, rtol=1e-5)
    np.testing.assert_allclose(metrics["divergence"], divergence, rtol=1e-5)


def test_popular_items_are_learned(tiny_data):
    model = multvae(MultVAEConfig(dim=3, hidden=5), tiny_data, batch_size=32)
    params, step = model.init(jax.random.key(0)), jax.jit(jax.grad(model.loss, has_aux=True))
    batch = {"user": model.batches.columns["user"][:32], "weight": jnp.ones(32)}
    for k in range(30):
        gradients, _ = step(params, model.inputs, batch, jax.random.key(k))
        params = jax.tree.map(lambda p, g: p - 0.05 * g, params, gradients)
    counts = np.bincount(tiny_data.train.positives().items, minlength=tiny_data.n_items)
    scores = model.score_all_items(jax.jit(model.encode)(params, model.inputs), jnp.arange(3))
    assert np.corrcoef(np.asarray(scores).mean(0), counts)[0, 1] > 0.5
