"""Evaluates the best checkpoint of a work directory: python evaluate.py --workdir=runs/synthetic."""

from pathlib import Path

from absl import flags

from hkjax import cli
from hkjax.experiment import evaluate_workdir
from hkjax.training.partition import parse_mesh_shape


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "A work directory that train.py has written.")
    flags.DEFINE_string("export", None, "A folder for the scoring function and its names, for serving without hkjax.")
    flags.DEFINE_list("mesh", ["1", "1"], "Devices DATA,ROWS; with ROWS above 1, or -1 for all, tables are divided.")


def main() -> None:
    folder = flags.FLAGS.export
    evaluate_workdir(Path(flags.FLAGS.workdir), Path(folder) if folder else None, parse_mesh_shape(flags.FLAGS.mesh))


if __name__ == "__main__":
    cli.run(define_flags, main)
