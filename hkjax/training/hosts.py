"""Several processes that train as one, and what ends them: a signal, or the loss of a peer."""

import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import jax
from jax.experimental import multihost_utils

from hkjax.errors import InputError, PeerError

# After so long without a word from a peer, a process gives up.
_HEARTBEAT_SECONDS = 30


def connect(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Joins this process to the others; to be called before anything else of JAX.

    Args:
        coordinator: HOST:PORT of process 0; `auto` asks the cluster (TPU, Slurm, Open MPI, Kubernetes) for
            all three values; without one, this process trains alone.
        num_processes, process_id: the number of processes, and this one's, from 0 on.

    Raises:
        InputError: a value is missing or out of range, or the others can't be reached.
    """
    if coordinator is None:
        if num_processes is not None or process_id is not None:
            raise InputError("--num_processes and --process_id need --coordinator=HOST:PORT")
        return
    named: dict[str, Any] = {} if coordinator == "auto" else {"coordinator_address": coordinator}
    if named:
        if not re.fullmatch(r"[^:\s]+:[1-9]\d{0,4}|\[[\da-fA-F:]+\]:[1-9]\d{0,4}", coordinator):
            raise InputError(f"--coordinator={coordinator}: expected HOST:PORT")
        if num_processes is None or process_id is None or not 0 <= process_id < num_processes:
            raise InputError(
                f"--coordinator={coordinator} needs --num_processes=N and --process_id from 0 to N - 1, "
                f"found {num_processes} and {process_id}"
            )
        named |= {"num_processes": num_processes, "process_id": process_id}
    try:
        jax.distributed.initialize(**named, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"--coordinator={coordinator}: {str(error).splitlines()[0]}") from error


def is_first() -> bool:
    """Whether this process writes logs and reports."""
    return jax.process_index() == 0


def broadcast_int(number: int) -> int:
    """The first process's number, in every process."""
    return int(multihost_utils.broadcast_one_to_all(number)) if jax.process_count() > 1 else number


def barrier(name: str) -> None:
    """Waits until every process has called it with this name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


@contextlib.contextmanager
def lost_peers() -> Iterator[None]:
    """Within, what fails for the loss of another process raises PeerError."""
    try:
        yield
    except Exception as error:
        chain = list(_causes(error))
        # A collective that fails is a JaxRuntimeError, but comes out of a checkpoint as a plain one.
        if jax.process_count() == 1 or not any(
            isinstance(x, jax.errors.JaxRuntimeError) or "Gloo" in str(x) for x in chain
        ):
            raise
        raise PeerError(
            f"another process was lost ({str(chain[-1]).splitlines()[0]}); start all again with the same commands: "
            "they go on from the last checkpoint"
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class Termination:
    """Whether SIGTERM or Ctrl-C has come, in a `with` statement; the same answer in every process at the same step.

    A second Ctrl-C does not wait for the step. With several processes only SIGTERM is agreed on.

    Attributes:
        signal: the signal that came.
    """

    def __init__(self) -> None:
        self.signal, self._came, self._several = signal.SIGTERM, False, jax.process_count() > 1
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Termination":
        # With several processes JAX listens itself, and makes them agree on a step. Python lets only the main thread.
        if not self._several and threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def _note(self, number: int, _: object) -> None:
        self._came, self.signal = True, signal.Signals(number)
        if number == signal.SIGINT:
            signal.signal(number, self._before[number])

    def should_stop(self, step: int) -> bool:
        """Whether to stop after this step; every process must ask at the same steps."""
        return multihost_utils.reached_preemption_sync_point(step) if self._several else self._came

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
