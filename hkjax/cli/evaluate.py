"""Evaluates the best checkpoint of a work directory, and writes its report.

hkjax evaluate --workdir=runs/mine
"""

from pathlib import Path

from absl import flags

from hkjax.runs import evaluate_workdir
from hkjax.training.partition import parse_mesh_shape

CONFIG: type | None = None
NEEDS = ("workdir",)


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "A work directory that training has written.")
    flags.DEFINE_string("export", None, "A folder for the scoring function and its names, for serving without hkjax.")
    flags.DEFINE_list("mesh", ["1", "1"], "Devices DATA,ROWS; with ROWS above 1, or -1 for all, tables are divided.")


def main() -> None:
    """Evaluates."""
    folder = flags.FLAGS.export
    workdir = Path(flags.FLAGS.workdir)
    evaluate_workdir(workdir, Path(folder) if folder else None, parse_mesh_shape(flags.FLAGS.mesh))
    print(f"report: {workdir / 'report.md'}")
