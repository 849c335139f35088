"""Files written whole or not at all, and checksums that reveal damage."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hkjax.errors import InputError

# In sha256sum's format; sha256sum -c SHA256SUMS checks it.
SUMS = "SHA256SUMS"


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole, or leaves the old one: a process killed while it writes leaves no half.

    Raises:
        InputError: it can't be written.
    """
    draft = path.with_name(f".{path.name}.tmp")
    with clear_errors(path):
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


@contextlib.contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turns failed writes into an InputError that names the path, which the error of a full disk does not."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror or error})") from error


def sha256(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Writes the checksums of a folder's files into the folder."""
    write_whole(folder / SUMS, "".join(f"{sha256(folder / name)}  {name}\n" for name in names))


def check_sums(folder: Path) -> None:
    """Checks the files of a folder against its checksums, if it has any.

    Raises:
        InputError: a file is missing or damaged; names the first one.
    """
    path = folder / SUMS
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        written, _, name = line.partition("  ")
        if not name.isprintable() or not (folder / name).is_file():
            raise InputError(f"{folder}: {name!r} of {SUMS} is missing")
        if sha256(folder / name) != written:
            raise InputError(f"{folder / name}: not as it was written")
