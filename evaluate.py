"""Evaluates the best checkpoint of a work directory: python evaluate.py --workdir=runs/synthetic."""

from hkjax.cli.main import enter

if __name__ == "__main__":
    enter("evaluate", __doc__)
