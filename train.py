"""Trains a recommender: python train.py --config=configs/synthetic.py --workdir=runs/synthetic."""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from hkjax import cli
from hkjax.experiment import Experiment, read_experiment, train_experiment
from hkjax.training.hosts import connect


def define_flags() -> None:
    config_flags.DEFINE_config_file("config", "configs/synthetic.py", "The experiment.")
    flags.DEFINE_string("workdir", None, "Where checkpoints, logs and reports go; training resumes there.")
    flags.DEFINE_string("coordinator", None, "With several processes: HOST:PORT of the first, or auto in a cluster.")
    flags.DEFINE_integer("num_processes", None, "How many processes train together.")
    flags.DEFINE_integer("process_id", None, "Which of them this is, from 0 on.")


def main() -> None:
    connect(flags.FLAGS.coordinator, flags.FLAGS.num_processes, flags.FLAGS.process_id)
    experiment = read_experiment(flags.FLAGS.config)
    train_experiment(experiment, Path(flags.FLAGS.workdir))


if __name__ == "__main__":
    cli.run(define_flags, main, Experiment)
