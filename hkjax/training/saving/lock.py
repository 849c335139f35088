"""The lock of a work directory: one process trains there at a time."""

import contextlib
import errno
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from hkjax.errors import InputError
from hkjax.files import clear_errors

NAME = "lock"


@contextlib.contextmanager
def lock_workdir(workdir: Path) -> Iterator[None]:
    """Keeps other processes from training here; creates the directory where absent.

    The lock is the operating system's flock, which Linux also passes on to NFS servers. It ends with the process that
    holds it, however that ends. The lock file names this process. It is removed afterwards, together with a directory
    that holds nothing else.

    Raises:
        InputError: another process holds it, or the directory can't be written.
    """
    path, holder = workdir / NAME, ""
    with clear_errors(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        try:
            file = _acquire(path)
        except BlockingIOError as error:
            with contextlib.suppress(FileNotFoundError):
                holder = path.read_text(errors="replace").strip()
            raise InputError(
                f"{workdir}: {holder or 'another process'} trains here; wait for its end, or choose another --workdir"
            ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
            workdir.rmdir()
        os.close(file)


def _acquire(path: Path) -> int:
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # Its last holder has just removed the empty directory.
            path.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            _lock(file, path)
            # Its last holder may have removed the file between the two calls above.
            if _is_at(file, path):
                os.ftruncate(file, 0)
                os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        print(f"{path}: this file system has no locks; make sure that only one process trains here", file=sys.stderr)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
