"""Short runs of a small model, compiled once."""

import jax
import numpy as np

from hkjax.evaluation.evaluate import make_validator
from hkjax.training.loop import TrainingConfig, fit
from hkjax.training.saving.checkpoint import Checkpoints
from hkjax.training.state import OptimizerConfig, create_state, make_optimizer
from hkjax.training.trainer import make_trainer

OPTIMIZER = OptimizerConfig(learning_rate=0.01)


COMPILED = {}


def compiled(recommender, data):
    """The recommender's trainer and validator."""
    if recommender.loss not in COMPILED:
        optimizer = make_optimizer(OPTIMIZER, recommender.batches.steps_per_epoch)
        COMPILED[recommender.loss] = make_trainer(recommender, optimizer), make_validator(recommender, data, "auc")
    return COMPILED[recommender.loss]


def run(recommender, data, workdir, epochs, patience=100):
    workdir.mkdir(exist_ok=True)
    return fit(*compiled(recommender, data), TrainingConfig(32, epochs, patience), 0, workdir)


def latest(recommender, workdir):
    state = jax.eval_shape(lambda k: create_state(recommender, make_optimizer(OPTIMIZER, 1), k), jax.random.key(0))
    checkpoints = Checkpoints(workdir / "checkpoints", "auc")
    return checkpoints.restore(checkpoints.latest, state)


def latest_params(recommender, workdir):
    checkpoints = Checkpoints(workdir / "checkpoints", "auc")
    return checkpoints.restore_params(checkpoints.latest, jax.eval_shape(recommender.init, jax.random.key(0)))


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)
