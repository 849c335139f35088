"""What both doors share: an error that a person can mend is one line on stderr and exit code 2."""

import os
import sys
from collections.abc import Callable

from absl import app, flags, logging

from hkjax.errors import InputError, PeerError, TerminationError


def run(define_flags: Callable[[], None], main: Callable[[], None]) -> None:
    """Defines and parses the flags, runs `main`, and exits: 0, or after one line on stderr 2,
    1 where another process was lost, or 143 on SIGTERM."""
    # What orbax and JAX log of an error comes as an exception, too.
    logging.set_verbosity(logging.FATAL)
    try:
        _parse(define_flags)
        main()
    except InputError as error:
        _fail(error)
    except TerminationError as stop:
        print(stop, file=sys.stderr)
        sys.exit(143)
    except PeerError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # On a usual exit JAX would wait for the process that is lost, and abort.
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
