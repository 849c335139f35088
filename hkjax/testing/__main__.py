"""Gradient check of a whole model's loss: python -m hkjax.testing --config=configs/synthetic.py

Prints each parameter's relative gradient errors, in float64, with dropout and sampling on; exits with
1 if one exceeds its tolerance.
"""

import sys

import jax
from absl import flags
from ml_collections import config_flags
from rich.console import Console
from rich.table import Table

from hkjax.cli.run import run
from hkjax.data.batching import epoch_order, get_batch
from hkjax.data.dataset import take_users
from hkjax.experiment import Experiment, build_model, read_data, read_experiment
from hkjax.models.base import Params, Recommender
from hkjax.testing.gradients import GradientError, measure_gradients

_TOLERANCE, _SECOND_TOLERANCE = 1e-6, 1e-4


def define_flags() -> None:
    config_flags.DEFINE_config_file("config", "configs/synthetic.py", "The experiment.")
    flags.DEFINE_integer("users", 0, "Check on so many of the users and what they met; 0 is all.")


def main() -> None:
    experiment = read_experiment(flags.FLAGS.config)
    data = read_data(experiment)
    if flags.FLAGS.users:
        data = take_users(data, flags.FLAGS.users)
    with jax.enable_x64(True):
        errors = measure_loss(build_model(experiment, data), seed=experiment.seed)
    table = Table("parameter", "size", "reverse", "forward", "second order", "worst entry", "there")
    for e in errors:
        errors_shown = ("-" if error is None else f"{error:.1e}" for error in (e.reverse, e.forward, e.second))
        there = (str(e.entry), f"{e.at_entry:.1e}")
        table.add_row(e.name, f"{e.size:,}", *errors_shown, *there, style="" if _holds(e) else "red")
    Console().print(table)
    if not all(map(_holds, errors)):
        sys.exit(1)


def measure_loss(recommender: Recommender, seed: int = 0, **options: int) -> list[GradientError]:
    """Measures the gradient errors of a model's loss on the first batch; options as in `check_gradients`."""
    key = jax.random.key(seed)
    batch = get_batch(recommender.batches, epoch_order(recommender.batches, key), 0)

    def loss(params: Params) -> jax.Array:
        return recommender.loss(params, recommender.inputs, batch, key)[0]

    errors = measure_gradients(loss, (jax.jit(recommender.init)(key),), seed=seed, **options)
    return [e._replace(name=e.name.removeprefix("[0]['params']")) for e in errors]


def _holds(e: GradientError) -> bool:
    return e.reverse <= _TOLERANCE and (e.forward or 0) <= _TOLERANCE and e.second <= _SECOND_TOLERANCE


if __name__ == "__main__":
    run(define_flags, main, __doc__, Experiment)
