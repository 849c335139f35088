"""What both doors share: an error ends them with one line on stderr and an exit code of its own."""

import os
import sys
from collections.abc import Callable

import jax
from absl import app, flags, logging

from hkjax.errors import InputError, PeerError, TerminationError


def run(define_flags: Callable[[], None], main: Callable[[], None]) -> None:
    """Defines and parses the flags, runs `main`, and exits.

    The code is 0, or after one line on stderr 2 for a mistake that a person can mend, 1 where another
    process was lost, and 143 on SIGTERM.
    """
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
        _fail(error, code=1)
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


def _fail(message: object, code: int = 2) -> None:
    line = " ".join(str(message).replace("\\n", " ").replace("\\", "").replace("'\"", "").split())
    print(f"error: {line}", file=sys.stderr, flush=True)
    if jax.distributed.is_initialized():
        os._exit(code)  # A usual exit would wait for the other processes, who wait for this one.
    sys.exit(code)
