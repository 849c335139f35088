"""Checkpoints for writing, by orbax: the two latest and the best, each complete or absent."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp

from hkjax.errors import DivergenceError, InputError, TerminationError
from hkjax.training.saving.checkpoint import Checkpoints, Record, items_of, seal
from hkjax.training.saving.checksums import describe
from hkjax.training.state import TrainState


class CheckpointWriter(Checkpoints):
    """The checkpoints below a directory, for the process that trains there; a context manager.

    A checkpoint holds the parameters, the rest of the state, and a record with the checksum of every array. The
    parameters are a separate item, so that only they can be restored. Writing is asynchronous and ends with an atomic
    rename: a process killed while writing leaves the previous checkpoint as the latest.

    Args:
        directory, monitor, padded: as in `Checkpoints`; the directory is created where absent.

    Attributes:
        best_so_far: the step of the first checkpoint with the highest value of the monitored metric, or None. It stays
            the best until a higher value comes, even if it is lost.
    """

    def __init__(self, directory: Path, monitor: str, padded: bool = False):
        super().__init__(directory, monitor, padded)
        self.best_so_far: int | None = None
        self._best_value: float | None = None
        options = ocp.CheckpointManagerOptions(preservation_policy=_LatestTwoAndBest(self))
        with self._clear_errors():
            self._manager = ocp.CheckpointManager(directory, options=options)

    def __enter__(self) -> "CheckpointWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if jax.process_count() > 1 and not isinstance(error, TerminationError | DivergenceError | None):
            return  # Closing would wait for processes that may be lost.
        with self._clear_errors():
            self._manager.close()

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # TensorStore reports a full disk as a ValueError.
            # The message ends with the cause and the whole specification of the file.
            reason = str(error).splitlines()[0].split(" [")[0].rsplit(": ", 1)[-1]
            left = "there is no checkpoint yet" if self.latest is None else "the last checkpoint stays"
            raise InputError(f"{self.directory}: can't save ({reason}); {left}") from error

    def save(self, state: TrainState, metrics: dict[str, float] | None = None, halvings: int = 0) -> None:
        """Saves the state; `metrics` are its validation metrics at the end of an epoch.

        Without the monitored one, where nothing is validated, the latest epoch is the best.
        """
        step, items = int(state.step), items_of(state)
        if metrics is not None:
            value = metrics.get(self.monitor, float(step))
            if self._best_value is None or value > self._best_value:
                self.best_so_far, self._best_value = step, value
        record = Record(describe(items), self.best_so_far, self._best_value, halvings)._asdict()
        args = {name: ocp.args.StandardSave(tree) for name, tree in items.items()}
        args["record"] = ocp.args.JsonSave({"record": record, "sha256": seal(record)})
        with self._clear_errors():
            self._manager.save(step, args=ocp.args.Composite(**args))

    def go_on_from(self, record: Record) -> None:
        """Takes over the best checkpoint so far from the record of the restored one."""
        self.best_so_far, self._best_value = record.best, record.best_value

    def wait(self) -> None:
        """Waits until all that was saved is on disk."""
        with self._clear_errors():
            self._manager.wait_until_finished()

    def set_aside(self, step: int) -> Path:
        """Moves a damaged checkpoint away, so that its step can be saved again; returns the new path."""
        folder = self.directory.parent / "damaged"
        folder.mkdir(exist_ok=True)
        taken = len([*folder.glob(f"{step}*")])
        target = folder / (f"{step}-{taken}" if taken else str(step))
        (self.directory / str(step)).rename(target)
        return target

    def reload(self) -> None:
        """Makes orbax list the checkpoints again."""
        self._manager.reload()


class _LatestTwoAndBest:
    """Orbax's policy of what to keep: two, in case the latest is damaged, and the best."""

    def __init__(self, checkpoints: CheckpointWriter):
        self._checkpoints = checkpoints

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        kept = {checkpoint.step for checkpoint in checkpoints[-2:]} | {self._checkpoints.best_so_far}
        return [checkpoint.step in kept for checkpoint in checkpoints]
