"""hkjax VERB --flag=value; hkjax VERB --help lists the flags."""

import contextlib
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from hkjax.errors import nearest

VERBS = {
    "inspect": "describe your tables and their problems, and write a configuration",
    "train": "train on your tables or on a configuration's data; resumes",
    "evaluate": "measure the best checkpoint beside its baselines; write the report",
    "recommend": "print or write recommendations by name, with reasons",
    "explain": "explain why an item would be recommended to a user",
    "similar": "print the items that go with one",
    "export": "write what serving without hkjax needs",
}


def main() -> None:
    """Runs the command: prints the verbs, or enters one."""
    with _one_line():
        verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
        if verb in ("--help", "-h", "help"):
            print(f"{__doc__}\n")
            for name, meaning in VERBS.items():
                print(f"  {name:<10} {meaning}")
            sys.stdout.flush()
            return
        if verb not in VERBS:
            print(f"error: unknown verb {verb!r}{nearest(verb, VERBS)}; hkjax --help lists all", file=sys.stderr)
            sys.exit(2)
    sys.argv = [f"hkjax {verb}", *sys.argv[2:]]
    enter(verb)


def enter(verb: str, about: str | None = None, **defaults: Any) -> None:
    """Runs a verb on sys.argv.

    Args:
        verb: a key of `VERBS`.
        about: the first lines of --help; the verb's own text if absent.
        defaults: arguments of its `define_flags`.
    """
    sys.unraisablehook = _report_unraisable
    with _one_line():
        run = importlib.import_module("hkjax.cli.run").run
        module = importlib.import_module(f"hkjax.cli.{verb}")
    run(partial(module.define_flags, **defaults), module.main, about or module.__doc__, module.CONFIG, module.NEEDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The verb is done; only Python's exit remains.


def _report_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    # Ctrl-C came while an object was deleted, where Python raises nothing.
    if unraisable.exc_type is KeyboardInterrupt:
        os.write(2, b"stopped by SIGINT\n")
        os._exit(130)
    # Where one array of a checkpoint can't be read, orbax abandons the other reads, which then raise.
    if str(unraisable.exc_value) != "Event loop is closed" and not inspect.iscoroutine(unraisable.object):
        sys.__unraisablehook__(unraisable)


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Exits with one line on Ctrl-C until `hkjax.cli.run` does so; its import takes a second or two."""
    try:
        yield
    except KeyboardInterrupt:
        print("stopped by SIGINT", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Nobody reads stdout any more.
        sys.exit(141)
