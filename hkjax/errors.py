"""What ends a run early: a mistake that a person can mend, a signal, or the loss of another process."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A wrong file, row, option or directory; its message is one line that says where and what to mend.

    The command line prints the message to stderr and exits with code 2; library users catch a ValueError.
    """


class DivergenceError(InputError):
    """The loss, the monitored metric, a parameter or a moment is no longer finite; all processes raise it together."""


class TerminationError(Exception):
    """SIGTERM or Ctrl-C came; the state is saved, and the same command goes on.

    The command line exits with the signal's code: 143 or 130.

    Attributes:
        code: that code.
    """

    def __init__(self, message: str, code: int = 143):
        super().__init__(message)
        self.code = code


class PeerError(Exception):
    """Another process that trained together with this one was lost; its message is one line.

    The command line prints the message to stderr and exits with code 1.
    """


def printable(text: str) -> str:
    """The text without what is no visible character: a foreign file may hold what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


def nearest(word: str, candidates: Iterable[str]) -> str:
    """A hint at the candidate that is spelt most like the word; empty where none is."""
    near = difflib.get_close_matches(word, list(candidates), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
