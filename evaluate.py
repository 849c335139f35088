"""Evaluates the best checkpoint of a work directory: python evaluate.py --workdir=runs/synthetic."""

from pathlib import Path

from absl import flags

from hkjax import cli
from hkjax.experiment import evaluate_workdir


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "A work directory that train.py has written.")


def main() -> None:
    evaluate_workdir(Path(flags.FLAGS.workdir))


if __name__ == "__main__":
    cli.run(define_flags, main)
