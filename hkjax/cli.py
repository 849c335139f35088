"""What both doors share: an error that a person can mend is one line on stderr and exit code 2."""

import sys
from collections.abc import Callable

from absl import app, flags, logging

from hkjax.errors import InputError, TerminationError


def run(define_flags: Callable[[], None], main: Callable[[], None]) -> None:
    """Defines and parses the flags, runs `main`, and exits: 0, 2 after one line on stderr, or 143 on SIGTERM."""
    logging.set_verbosity(logging.ERROR)
    try:
        _parse(define_flags)
        main()
    except InputError as error:
        _fail(error)
    except TerminationError as stop:
        print(stop, file=sys.stderr)
        sys.exit(143)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error)


def _parse(define_flags: Callable[[], None]) -> None:
    try:
        app.define_help_flags()
        define_flags()
        unused = flags.FLAGS(sys.argv)[1:]
    # ml_collections raises the last two for a key that the configuration lacks.
    except (flags.Error, AttributeError, KeyError) as error:
        raise InputError(str(error)) from error
    if unused:
        raise InputError(f"unexpected argument {unused[0]!r}")
    if "workdir" in flags.FLAGS and flags.FLAGS.workdir is None:
        raise InputError("name a work directory: --workdir=runs/NAME")


def _fail(message: object) -> None:
    line = " ".join(str(message).replace("\\n", " ").replace("\\", "").replace("'\"", "").split())
    print(f"error: {line}", file=sys.stderr)
    sys.exit(2)
