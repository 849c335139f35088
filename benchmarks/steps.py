"""Times training steps, an epoch's steps and validation on the device at hand, and prints their peak memory.

    python benchmarks/steps.py --config=configs/hakg_alibaba_ifashion.py --json=runs/steps.json

An epoch is not run: its time is that of its steps. `--trace` records some steps for TensorBoard's profiler.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from absl import flags
from ml_collections import config_flags

from hkjax.cli.run import run
from hkjax.evaluation.evaluate import make_validator
from hkjax.experiment import build_model, read_data, read_experiment
from hkjax.training.state import make_optimizer
from hkjax.training.trainer import make_trainer

_CALLS = 5


def define_flags() -> None:
    flags.DEFINE_float("seconds", 1.0, "How long each of the calls that are timed lasts, if an epoch does.")
    flags.DEFINE_string("trace", None, "A folder for a profile of two calls of ten steps.")
    flags.DEFINE_string("json", None, "A file for the figures.")
    config_flags.DEFINE_config_file("config", None, "The experiment.")


def main() -> None:
    experiment = read_experiment(flags.FLAGS.config)
    data = read_data(experiment)
    recommender = build_model(experiment, data)
    n_steps = recommender.batches.steps_per_epoch
    trainer = make_trainer(recommender, make_optimizer(experiment.optimizer, n_steps), experiment.mesh)
    validate = make_validator(trainer.recommender, data, experiment.training.monitor)
    state, order = trainer.init(jax.random.key(0)), trainer.epoch_order(jax.random.key(1))

    def steps(n: int) -> None:
        nonlocal state
        state = state.replace(step=jnp.zeros_like(state.step))  # Past the epoch's end the last batch would be repeated.
        state = jax.block_until_ready(trainer.train_steps(state, order, jnp.int32(n), jax.random.key(2)))

    compiling = _seconds(steps, 0)
    a_call = min(n_steps, max(1, int(flags.FLAGS.seconds / _median(lambda: _seconds(steps, 1)))))
    a_step = _median(lambda: _seconds(steps, a_call) / a_call)
    if flags.FLAGS.trace:
        with jax.profiler.trace(flags.FLAGS.trace):
            steps(10)
            steps(10)
    compiling_validation = _seconds(validate, trainer.params(state))
    figures: dict[str, Any] = {
        "config": experiment.model.name,
        "data": Path(experiment.data.path).name,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "compile_s": compiling,
        "step_ms": 1e3 * a_step,
        "steps_a_call": a_call,
        "steps_an_epoch": n_steps,
        "epoch_s": n_steps * a_step,
        "validation_s": _median(lambda: _seconds(validate, trainer.params(state))),
        "first_validation_s": compiling_validation,
        "peak_gb": (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0) / 1e9,
    }
    print(json.dumps(figures), flush=True)
    if flags.FLAGS.json:
        Path(flags.FLAGS.json).write_text(json.dumps(figures, indent=2) + "\n")


def _seconds(function: Callable[..., Any], *args: Any) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function(*args))
    return time.perf_counter() - start


def _median(of: Callable[[], float]) -> float:
    return statistics.median(of() for _ in range(_CALLS))


if __name__ == "__main__":
    run(define_flags, main, __doc__)
