"""Evaluates the best checkpoint of a work directory: python evaluate.py --workdir=runs/synthetic."""

from pathlib import Path

from absl import flags

from hkjax import cli
from hkjax.experiment import evaluate_workdir


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "A work directory that train.py has written.")
    flags.DEFINE_string("export", None, "A folder for the scoring function and its names, for serving without hkjax.")
    flags.DEFINE_bool("shard_embeddings", False, "Divide embedding tables among the devices, where they exceed one.")


def main() -> None:
    folder = flags.FLAGS.export
    evaluate_workdir(Path(flags.FLAGS.workdir), Path(folder) if folder else None, flags.FLAGS.shard_embeddings)


if __name__ == "__main__":
    cli.run(define_flags, main)
