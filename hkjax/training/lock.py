"""One process trains in a work directory at a time."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from hkjax.errors import InputError
from hkjax.files import clear_errors

NAME = "lock"


@contextlib.contextmanager
def lock_workdir(workdir: Path) -> Iterator[None]:
    """Keeps other processes from training here; creates the directory where absent.

    The lock is the operating system's (flock, which Linux also passes on to NFS servers), so that it ends with the
    process that holds it, however that ends. The file says who holds it, and is gone afterwards, together with a
    directory that holds nothing else.

    Raises:
        InputError: another process holds it, or the directory can't be written.
    """
    path = workdir / NAME
    with clear_errors(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        try:
            file = _acquire(path)
        except BlockingIOError as error:
            holder = path.read_text(errors="replace").strip() or "another process"
            raise InputError(
                f"{workdir}: {holder} trains here; wait for its end, or choose another --workdir"
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
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have removed the file between the two calls above.
            if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                os.ftruncate(file, 0)
                os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)
