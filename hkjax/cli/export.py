"""Writes a folder for serving without hkjax: the scoring function, its arrays, the names, and an example.

hkjax export --workdir=runs/mine --export=served
"""

from pathlib import Path

import jax
from absl import flags

from hkjax.runs import load_workdir
from hkjax.serving.export import export_scores

CONFIG: type | None = None
NEEDS = ("workdir", "export")


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "A work directory that training has written.")
    flags.DEFINE_string("export", None, "The folder to write to.")


def main() -> None:
    """Exports the best checkpoint."""
    trained = load_workdir(Path(flags.FLAGS.workdir))
    recommender = trained.recommender
    representation = jax.jit(recommender.encode)(trained.params, recommender.inputs)
    export_scores(recommender, trained.params, representation, trained.data, Path(flags.FLAGS.export))
    print(f"exported: python {Path(flags.FLAGS.export) / 'server.py'} USER recommends")
