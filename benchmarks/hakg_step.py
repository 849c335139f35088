"""Times a training step of HAKG and its parts, and prints the process's peak memory.

python benchmarks/hakg_step.py --config=configs/hakg_official_book_crossing.py
"""

import resource
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from absl import flags
from ml_collections import config_flags

from hkjax import cli
from hkjax.data.sampling import draw_unseen, take
from hkjax.experiment import build_model, load_data, read_experiment
from hkjax.models.hakg import HAKG
from hkjax.models.hakg_config import HAKGConfig
from hkjax.training.parallel import make_runner
from hkjax.training.state import make_optimizer

_REPEATS = 5


def define_flags() -> None:
    config_flags.DEFINE_config_file("config", "configs/hakg_official_book_crossing.py", "An experiment with HAKG.")


def main() -> None:
    experiment = read_experiment(flags.FLAGS.config)
    config, data = experiment.model, load_data(experiment)
    assert isinstance(config, HAKGConfig)
    recommender = build_model(experiment, data)
    inputs, batches = recommender.inputs, recommender.batches
    optimizer = make_optimizer(experiment.optimizer, batches.steps_per_epoch)
    runner, key = make_runner(recommender, optimizer), jax.random.key(2)
    state, order = runner.init(jax.random.key(0)), runner.shuffle(jax.random.key(1))

    def steps(n: int) -> float:
        nonlocal state
        start = time.perf_counter()
        state = jax.block_until_ready(runner.run(state, order, jnp.int32(n), key))
        return time.perf_counter() - start

    print(f"{2 * len(data.triples):,} directed edges, {batches.steps_per_epoch} steps an epoch")
    print(f"compilation and first step {steps(1):8.2f} s")
    print(f"a step, of {_REPEATS}            {steps(_REPEATS) / _REPEATS:8.3f} s")
    print(f"peak memory                {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:8.2f} GB")

    params, batch = state.params, take(batches, order, 0)
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)
    parts: dict[str, Callable] = {
        "propagation": lambda p: module.apply(p, inputs, key, method="propagate"),
        "angle loss": lambda p: module.apply(p, inputs, key, method="angle"),
        "whole loss": lambda p: recommender.loss(p, inputs, batch, key)[0],
    }
    for name, part in parts.items():
        gradient = jax.grad(lambda p, part=part: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(part(p))))
        print(f"{name:14s} forward {_median(part, params):7.3f} s   with backward {_median(gradient, params):7.3f} s")

    def draw(key: jax.Array) -> jax.Array:
        user, example = batch["user"], batch["example"]
        return draw_unseen(key, inputs.histories, user, example, config.negatives, data.n_items)

    print(f"negatives      {_median(draw, key):7.3f} s")
    print(f"optimiser      {_median(lambda p: optimizer.update(p, state.opt_state, p), params):7.3f} s")


def _median(function: Callable, argument: jax.Array) -> float:
    compiled, times = jax.jit(function), []
    jax.block_until_ready(compiled(argument))
    for _ in range(_REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(compiled(argument))
        times.append(time.perf_counter() - start)
    return sorted(times)[_REPEATS // 2]


if __name__ == "__main__":
    cli.run(define_flags, main)
