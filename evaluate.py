"""Evaluates the best checkpoint of a work directory: python evaluate.py --workdir=runs/synthetic."""

from hkjax.cli import evaluate
from hkjax.cli.run import run

if __name__ == "__main__":
    run(evaluate.define_flags, evaluate.main, __doc__, evaluate.CONFIG, evaluate.NEEDS)
