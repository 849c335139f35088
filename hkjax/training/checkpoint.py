"""Checkpoints: the latest and the best, written by orbax, each complete or absent."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp

from hkjax.errors import InputError, TerminationError
from hkjax.models.base import Params
from hkjax.training.state import TrainState

_policy = ocp.checkpoint_managers.preservation_policy


class Checkpoints:
    """The checkpoints below a directory; to be used in a `with` statement.

    A checkpoint holds the parameters as an item of their own, so that they can be restored alone,
    and the rest of the state beside them. Writing is asynchronous and ends with an atomic rename:
    a process that is killed while it writes leaves the previous checkpoint as the latest.

    Args:
        directory: absolute path; created where absent.
        monitor: the validation metric, higher is better, by which one checkpoint is the best.
        padded: whether tables are stored with the padding of a mesh (see `hkjax.training.partition`);
            restoring then pads them anew, for the mesh at hand.
        read_only: change nothing, so that a run that trains here is not disturbed; the directory must exist.
    """

    def __init__(self, directory: Path, monitor: str, padded: bool = False, read_only: bool = False):
        def metric(metrics: dict[str, float]) -> float:
            return metrics[monitor]

        keep = [
            _policy.LatestN(1),
            _policy.BestN(get_metric_fn=metric, n=1, reverse=False, keep_checkpoints_without_metrics=False),
        ]
        options = ocp.CheckpointManagerOptions(
            best_fn=metric,
            preservation_policy=_policy.AnyPreservationPolicy(keep),
            cleanup_tmp_directories=not read_only,
            create=not read_only,
        )
        self._directory, self._strict = directory, not padded
        self._manager = ocp.CheckpointManager(directory, options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if jax.process_count() > 1 and not isinstance(error, TerminationError | None):
            return  # Closing would wait for processes that may be lost.
        with self._clear_errors():
            self._manager.close()

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # TensorStore reports a full disk as a ValueError.
            # Its message ends with the cause, and after it the whole specification of the file.
            reason = str(error).splitlines()[0].split(" [")[0].rsplit(": ", 1)[-1]
            raise InputError(f"{self._directory}: can't save ({reason}); the last checkpoint stays") from error

    @property
    def latest(self) -> int | None:
        """The step of the latest checkpoint, or None."""
        return self._manager.latest_step()

    @property
    def best(self) -> int | None:
        """The step of the checkpoint whose monitored metric is highest, or None."""
        return self._manager.best_step()

    def save(self, state: TrainState, metrics: dict[str, float] | None = None) -> None:
        """Saves the state, with the metrics that it reached at the end of an epoch."""
        rest = {"step": state.step, "opt_state": state.opt_state, "metric_sums": state.metric_sums}
        items = ocp.args.Composite(params=ocp.args.StandardSave(state.params), rest=ocp.args.StandardSave(rest))
        with self._clear_errors():
            self._manager.save(int(state.step), args=items, metrics=metrics)

    def restore(self, step: int, like: TrainState) -> TrainState:
        """Restores the whole state of a step; `like` gives its shapes and devices."""
        target = {"step": like.step, "opt_state": like.opt_state, "metric_sums": like.metric_sums}
        items = ocp.args.Composite(params=self._like(like.params), rest=self._like(target))
        restored = self._restored(step, items)
        return TrainState(params=restored["params"], **restored["rest"])

    def restore_params(self, step: int, like: Params) -> Params:
        """Restores the parameters alone; `like` gives their shapes and devices."""
        return self._restored(step, ocp.args.Composite(params=self._like(like)))["params"]

    def _restored(self, step: int, items: ocp.args.Composite) -> Any:
        try:
            return self._manager.restore(step, args=items)
        except ValueError as error:
            raise InputError(f"checkpoint {step} does not fit this model: {str(error).splitlines()[0]}") from error

    def _like(self, tree: Any) -> ocp.args.StandardRestore:
        device = jax.sharding.SingleDeviceSharding(jax.devices()[0])

        def abstract(leaf: jax.Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding or device)

        return ocp.args.StandardRestore(jax.tree.map(abstract, tree), strict=self._strict)
