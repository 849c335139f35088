"""Evaluates the best checkpoint of a work directory: python evaluate.py --workdir=runs/synthetic."""

from absl import flags

from hkjax import cli

flags.DEFINE_string("workdir", None, "A work directory that train.py has written.")

if __name__ == "__main__":
    cli.run(cli.evaluate)
