"""Times a training step of HAKG and its parts, and prints the process's peak memory.

Propagation contains the edge sampling, and the ranking loss the negatives.

python benchmarks/hakg_step.py --config=configs/hakg_official_book_crossing.py
"""

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import config_flags

from hkjax.cli.run import run
from hkjax.data.batching import get_batch
from hkjax.evaluation.ranking import rank_users
from hkjax.experiment import build_model, read_data, read_experiment
from hkjax.models.base import Batch, Params
from hkjax.models.hakg import losses, propagation
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, subsample
from hkjax.models.hakg.parameters import HAKG
from hkjax.ops.sampling import sample_negatives
from hkjax.training.state import make_optimizer
from hkjax.training.trainer import make_trainer

_REPEATS = 5


def define_flags() -> None:
    config_flags.DEFINE_config_file("config", "configs/hakg_official_book_crossing.py", "An experiment with HAKG.")


def main() -> None:
    experiment = read_experiment(flags.FLAGS.config)
    config, data = experiment.model, read_data(experiment)
    assert isinstance(config, HAKGConfig)
    recommender = build_model(experiment, data)
    inputs, batches = recommender.inputs, recommender.batches
    optimizer = make_optimizer(experiment.optimizer, batches.steps_per_epoch)
    trainer, key = make_trainer(recommender, optimizer), jax.random.key(2)
    state, order = trainer.init(jax.random.key(0)), trainer.epoch_order(jax.random.key(1))

    def steps(n: int) -> float:
        nonlocal state
        start = time.perf_counter()
        state = jax.block_until_ready(trainer.train_steps(state, order, jnp.int32(n), key))
        return time.perf_counter() - start

    print(f"{2 * len(data.triples):,} directed edges, {batches.steps_per_epoch} steps an epoch")
    print(f"compilation and first step {steps(1):8.2f} s")
    print(f"a step, of {_REPEATS}            {steps(_REPEATS) / _REPEATS:8.3f} s")
    print(f"peak memory                {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:8.2f} GB")

    # All of these are arguments: XLA computes beforehand with what a compiled function closes over.
    params, batch = state.params, get_batch(batches, order, 0)
    parameters: Callable[[Params], Any] = HAKG(
        config, data.n_users, data.n_items, data.n_entities, data.n_relations
    ).apply

    def draw(inputs: HAKGInputs, batch: Batch, key: jax.Array) -> jax.Array:
        return sample_negatives(key, inputs.exclusions, batch["user"], batch["example"], config.negatives, data.n_items)

    def propagate(params: Params, inputs: HAKGInputs, key: jax.Array) -> propagation.Embeddings:
        return propagation.propagate(config, parameters(params), inputs, key)

    def cones(params: Params, inputs: HAKGInputs, key: jax.Array) -> jax.Array:
        points = params["params"]["entity"]
        return losses.cone_loss(config, losses.angle_points(config, points), inputs.pairs, key)

    embeddings = jax.jit(propagate)(params, inputs, key)
    print(f"edge sampling  {_median(partial(subsample, config), inputs, key):7.3f} s")
    print(f"negatives      {_median(draw, inputs, batch, key):7.3f} s")
    parts: dict[str, tuple[Callable, tuple]] = {
        "propagation": (propagate, (params, inputs, key)),
        "ranking loss": (partial(losses.ranking_loss, config), (embeddings, inputs, batch, key)),
        "angle loss": (cones, (params, inputs, key)),
        "whole loss": (lambda *args: recommender.loss(*args)[0], (params, inputs, batch, key)),
    }
    for name, (part, args) in parts.items():
        both = jax.value_and_grad(lambda *args, part=part: sum(jnp.sum(x) for x in jax.tree.leaves(part(*args))))
        forward, backward = _median(part, *args), _median(both, *args)
        print(f"{name:14s} {forward:7.3f} s forward   {max(backward - forward, 0):7.3f} s backward")
    print(f"optimiser      {_median(optimizer.update, params, state.opt_state, params):7.3f} s")
    print(f"encoding       {_median(recommender.encode, params, inputs):7.3f} s")
    representation, tested = jax.jit(recommender.encode)(params, inputs), data.test.positives()
    for _ in range(2):  # The first time compiles.
        start = time.perf_counter()
        rank_users(recommender, representation, data.n_items, tested, data.train.positives(), (20,))
    print(f"ranking all items for {len(np.unique(tested.users)):,} users {time.perf_counter() - start:.1f} s")


def _median(function: Callable, *args: Any) -> float:
    compiled, times = jax.jit(function), []
    jax.block_until_ready(compiled(*args))
    for _ in range(_REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*args))
        times.append(time.perf_counter() - start)
    return sorted(times)[_REPEATS // 2]


if __name__ == "__main__":
    run(define_flags, main, __doc__)
