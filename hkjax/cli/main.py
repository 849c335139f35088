"""hkjax VERB --flag=value; hkjax VERB --help says more."""

import importlib
import sys

from hkjax.errors import nearest

VERBS = {
    "inspect": "say what your tables hold and what will hurt, and write a configuration",
    "train": "train on your tables or on a configuration's data; resumes",
    "evaluate": "measure the best checkpoint beside its baselines; write the report",
    "recommend": "print or write recommendations by name, with reasons",
    "explain": "say why an item would be recommended to a user",
    "similar": "print the items that go with one",
    "export": "write what serving without hkjax needs",
}


def main() -> None:
    """The entry point of the command."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("--help", "-h", "help"):
        print(f"{__doc__}\n")
        for name, meaning in VERBS.items():
            print(f"  {name:<10} {meaning}")
        return
    if verb not in VERBS:
        print(f"error: unknown verb {verb!r}{nearest(verb, VERBS)}; hkjax --help lists all", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"hkjax {verb}", *sys.argv[2:]]
    try:
        run = importlib.import_module("hkjax.cli.run").run
        module = importlib.import_module(f"hkjax.cli.{verb}")
    except KeyboardInterrupt:  # Imports take a second or two.
        print("stopped by SIGINT", file=sys.stderr)
        sys.exit(130)
    run(module.define_flags, module.main, module.__doc__, module.CONFIG, module.NEEDS)
