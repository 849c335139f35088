"""A model of one's own: the smallest Recommender, checked and trained."""

import jax
import jax.numpy as jnp
import optax

import hkjax
from hkjax.data.batching import bucket_by_length
from hkjax.evaluation.evaluate import make_validator
from hkjax.training.trainer import make_trainer


def matrix_factorization(data, batch_size, dim=16):
    """BPR matrix factorisation: the inner product of a user's and an item's vector is the score."""
    positives, sizes = data.train.positives(), {"user": data.n_users, "item": data.n_items}

    def score_pairs(x, users, items):
        return jnp.sum(x["user"][users] * x["item"][items], axis=-1)

    def loss(params, inputs, batch, key):
        users, items = batch["user"], batch["item"]
        negatives = jax.random.randint(key, items.shape, 0, data.n_items)
        difference = score_pairs(params, users, items) - score_pairs(params, users, negatives)
        value = jnp.mean(batch["weight"] * jax.nn.softplus(-difference))
        return value, {"loss": value}

    return hkjax.Recommender(
        inputs={},
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, batch_size),
        init=lambda key: {name: 0.1 * jax.random.normal(key, (n, dim)) for name, n in sizes.items()},
        loss=loss,
        encode=lambda params, inputs: params,
        score_pairs=score_pairs,
        score_all_items=lambda x, users: x["user"][users] @ x["item"].T,
    )


data = hkjax.synthetic_dataset(hkjax.SyntheticConfig(n_users=300), hkjax.DataConfig(split="per_user"), seed=0)
model = matrix_factorization(data, batch_size=256)
hkjax.check_recommender(model)
print("sound: keys, finite gradients, padding, one compilation, scores that agree")
trainer, validate = make_trainer(model, optax.adam(0.02)), make_validator(model, data, "recall@20")
state, steps = trainer.init(jax.random.key(0)), jnp.int32(model.batches.steps_per_epoch)
for epoch in range(5):
    state = trainer.train_steps(state, trainer.epoch_order(jax.random.key(epoch)), steps, jax.random.key(1))
    print(f"epoch {epoch + 1}: recall@20 of the validation part {validate(state.params)['recall@20']:.3f}")
