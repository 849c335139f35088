"""Trains a recommender: python train.py --config=configs/synthetic.py --workdir=runs/synthetic."""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from hkjax import cli
from hkjax.experiment import read_experiment, train_experiment


def define_flags() -> None:
    config_flags.DEFINE_config_file("config", "configs/synthetic.py", "The experiment.")
    flags.DEFINE_string("workdir", None, "Where checkpoints, logs and reports go; training resumes there.")


def main() -> None:
    experiment = read_experiment(flags.FLAGS.config)
    train_experiment(experiment, Path(flags.FLAGS.workdir))


if __name__ == "__main__":
    cli.run(define_flags, main)
