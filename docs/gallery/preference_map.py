"""HKRM's preference heat map: which attribute fields matter to a user, and which to an item."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import hkjax
from hkjax.evaluation.plots import save_picture
from hkjax.models.hkrm.explain import explain, field_recovery, preference_heat_map, typical_pair
from hkjax.training.trainer import make_trainer

sizes = hkjax.SyntheticConfig(n_users=200, n_items=150)  # generated: each user prefers one value of one field
data = hkjax.synthetic_dataset(sizes, hkjax.DataConfig(), seed=0)
model = hkjax.hkrm(hkjax.HKRMConfig(dim=16), data, batch_size=256)
trainer = make_trainer(model, optax.adam(0.01))
state, steps = trainer.init(jax.random.key(0)), jnp.int32(model.batches.steps_per_epoch)
encode = jax.jit(model.encode)
history = np.bincount(data.train.positives().users, minlength=data.n_users)


def found():
    """The fraction of users whose largest preference is the field that the generator gave them."""
    return field_recovery(encode(state.params, model.inputs), data.true_field, history)


before = found()
for epoch in range(6):
    state = trainer.train_steps(state, trainer.epoch_order(jax.random.key(epoch)), steps, jax.random.key(1))
print(f"true field largest: {found():.0%} of users, {before:.0%} before training, {1 / len(data.fields):.0%} by chance")

representation = encode(state.params, model.inputs)
for user in range(4):
    learned = explain(representation, data, user, item=0, label=-1).preference
    fields = ", ".join(f"{name} {p:.2f}" for name, p in zip(data.fields, learned, strict=True))
    print(f"user {user}, true field {list(data.fields)[data.true_field[user]]}: P(A|q) is {fields}")

logits = np.asarray(model.score_pairs(representation, data.test.users, data.test.items))
pair = typical_pair(representation, data, logits)
for x in pair:
    print(f"user {x.user}, item {x.item}, label {x.label}: score {x.logit:+.2f}, importance {x.importance.round(2)}")
save_picture(preference_heat_map(pair, data), Path("."))
print("preference.png: preference against importance for both items")
