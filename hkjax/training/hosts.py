"""Processes that train as one, and their end by a signal or the loss of a peer."""

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

# A process gives up after this time without a heartbeat from a peer.
_HEARTBEAT_SECONDS = 30


def connect(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Joins this process to the others; to be called before anything else of JAX.

    Args:
        coordinator: HOST:PORT of process 0; `auto` asks the cluster (TPU, Slurm, Open MPI, Kubernetes) for
            all three values; without one, this process trains by itself.
        num_processes, process_id: the number of processes, and the index of this one, from 0.

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
    """Returns whether this process writes logs and reports."""
    return jax.process_index() == 0


def broadcast_int(number: int) -> int:
    """Returns the first process's `number` in every process."""
    return int(multihost_utils.broadcast_one_to_all(number)) if jax.process_count() > 1 else number


def barrier(name: str) -> None:
    """Waits until every process has called it with this name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


@contextlib.contextmanager
def lost_peers() -> Iterator[None]:
    """Raises PeerError for errors within the context that the loss of another process causes."""
    try:
        yield
    except Exception as error:
        chain = list(_causes(error))
        # A failed collective raises JaxRuntimeError, but a checkpoint passes it on as a plain error.
        if jax.process_count() == 1 or not any(
            isinstance(x, jax.errors.JaxRuntimeError) or "Gloo" in str(x) for x in chain
        ):
            raise
        raise PeerError(
            f"another process was lost ({str(chain[-1]).splitlines()[0]}); start all again with the same commands: "
            "they resume from the last checkpoint"
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class Termination:
    """A context manager that notes SIGTERM and Ctrl-C; all processes get the same answer at the same step.

    A second Ctrl-C does not wait for the step. Several processes agree only on SIGTERM.

    Attributes:
        signal: the signal that came.
    """

    def __init__(self) -> None:
        self.signal, self._came, self._several = signal.SIGTERM, False, jax.process_count() > 1
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Termination":
        # With several processes JAX handles signals and agrees on a step. Only the main thread may set handlers.
        if not self._several and threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def _note(self, number: int, _: object) -> None:
        self._came, self.signal = True, signal.Signals(number)
        if number == signal.SIGINT:
            signal.signal(number, self._before[number])

    def should_stop(self, step: int) -> bool:
        """Returns whether to stop after this step; every process must ask at the same steps."""
        return multihost_utils.reached_preemption_sync_point(step) if self._several else self._came

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
