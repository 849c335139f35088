"""What the command line does: errors that a person can mend are one line and exit code 2."""

import sys
from collections.abc import Callable
from pathlib import Path

from absl import flags, logging

from hkjax.errors import InputError
from hkjax.experiment import evaluate_workdir, read_experiment, train_experiment


def run(command: Callable[[], None]) -> None:
    """Parses the flags, runs the command and exits: 0, or 2 with one line for a mendable error."""
    logging.set_verbosity(logging.ERROR)
    try:
        unused = flags.FLAGS(sys.argv)[1:]
        if unused:
            raise InputError(f"unexpected argument {unused[0]!r}")
        if flags.FLAGS.workdir is None:
            raise InputError("name a work directory: --workdir=runs/NAME")
        command()
    except (InputError, flags.Error, AttributeError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def train() -> None:
    """Trains --config in --workdir."""
    train_experiment(read_experiment(flags.FLAGS.config), Path(flags.FLAGS.workdir))


def evaluate() -> None:
    """Evaluates the best checkpoint in --workdir."""
    evaluate_workdir(Path(flags.FLAGS.workdir))
