"""Times the checksums of a checkpoint: for a state of a given size, or for a model's state beside an epoch.

python benchmarks/checksums.py --gigabytes=4
python benchmarks/checksums.py --config=configs/hkrm_book_crossing.py
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import config_flags

from hkjax.cli.run import run
from hkjax.experiment import build_model, read_data, read_experiment
from hkjax.training.saving.checkpoint import items_of
from hkjax.training.saving.checksums import describe
from hkjax.training.state import make_optimizer
from hkjax.training.trainer import make_trainer


def define_flags() -> None:
    flags.DEFINE_float("gigabytes", 0.0, "The size of a state of random tables.")
    flags.DEFINE_integer("repeats", 5, "How often to time; the median is shown.")
    config_flags.DEFINE_config_file("config", None, "An experiment, whose epoch is timed beside.")


def main() -> None:
    if flags.FLAGS.gigabytes:
        n_rows = int(flags.FLAGS.gigabytes * 1e9 / 3 / 4 / 64)
        tables = [jax.random.normal(jax.random.key(k), (n_rows, 64)) for k in range(3)]
        print(f"{sum(x.nbytes for x in tables) / 1e9:.2f} GB: {median(lambda: describe(tables)):.2f} s")
        return
    experiment = read_experiment(flags.FLAGS.config)
    recommender = build_model(experiment, read_data(experiment))
    steps = recommender.batches.steps_per_epoch
    trainer = make_trainer(recommender, make_optimizer(experiment.optimizer, steps), (1, 1))
    state = trainer.init(jax.random.key(0))
    order, n_steps = trainer.epoch_order(jax.random.key(1)), jnp.int32(steps)

    def epoch() -> None:
        nonlocal state
        state = jax.block_until_ready(trainer.train_steps(state, order, n_steps, jax.random.key(2)))

    seconds, sums = median(epoch), median(lambda: describe(items_of(state)))
    print(f"an epoch of {steps} steps: {seconds:.2f} s; its checksums: {sums * 1e3:.1f} ms, {sums / seconds:.2%}")


def median(function: Callable[[], Any]) -> float:
    """Returns the median seconds of a call, after a first one that compiles."""
    function()
    seconds = []
    for _ in range(flags.FLAGS.repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


if __name__ == "__main__":
    run(define_flags, main, __doc__)
