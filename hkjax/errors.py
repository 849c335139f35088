"""Errors that end a run: user errors, signals, the loss of another process."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A wrong file, row, option or directory; its message is one line with the place and the remedy.

    The command line prints the message to stderr and exits with code 2; library users catch a ValueError.
    """


class DivergenceError(InputError):
    """A loss, monitored metric, parameter or moment that is no longer finite; all processes raise it together."""


class TerminationError(Exception):
    """A stop by SIGTERM or Ctrl-C; the state is saved, and the same command resumes.

    The command line exits with the signal's code: 143 or 130.

    Attributes:
        code: that code.
    """

    def __init__(self, message: str, code: int = 143):
        super().__init__(message)
        self.code = code


class PeerError(Exception):
    """The loss of another process of the same training; its message is one line.

    The command line prints the message to stderr and exits with code 1.
    """


def printable(text: str) -> str:
    """Returns the text with ? for invisible characters: a foreign file may hold control codes of terminals."""
    return "".join(character if character.isprintable() else "?" for character in text)


def nearest(word: str, candidates: Iterable[str]) -> str:
    """Returns a hint at the candidate spelt most like the word; empty if none is close."""
    near = difflib.get_close_matches(word, list(candidates), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
