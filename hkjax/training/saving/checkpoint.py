"""Checkpoints for reading: parameters and state of a step, checked against the checksums saved with them."""

import contextlib
import hashlib
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp

from hkjax.errors import InputError
from hkjax.models.base import Params
from hkjax.training.saving.checksums import describe, difference
from hkjax.training.state import TrainState

# Messages of TensorStore's ValueErrors for failures that need not mean damaged files.
_PASSING = "PERMISSION_DENIED|RESOURCE_EXHAUSTED|UNAVAILABLE|DEADLINE_EXCEEDED|Too many open files|Input/output error"


class DamagedError(InputError):
    """An incomplete checkpoint, or one with arrays that differ from the saved ones."""


class Record(NamedTuple):
    """A checkpoint's metadata.

    Attributes:
        arrays: the result of `hkjax.training.saving.checksums.describe`; None in a checkpoint of hkjax 0.3 or before.
        best: the step of the best checkpoint when this one was saved, or None before the end of an epoch.
        best_value: its monitored metric, or None.
        halvings: how many times the learning rate had been halved (see `TrainingConfig.on_divergence`).
    """

    arrays: dict[str, dict[str, Any]] | None
    best: int | None = None
    best_value: float | None = None
    halvings: int = 0


class Checkpoints:
    """The checkpoints below a directory, for reading.

    Args:
        directory: absolute path.
        monitor: the validation metric that defines the best checkpoint; higher is better.
        padded: whether tables are stored with the padding of a mesh (see `hkjax.training.partition`);
            restoring then pads them for the current mesh.
    """

    def __init__(self, directory: Path, monitor: str, padded: bool = False):
        self.directory, self.monitor, self._padded = directory, monitor, padded

    @property
    def steps(self) -> list[int]:
        """The steps of all checkpoints, ascending."""
        if not self.directory.is_dir():
            return []
        return sorted(int(path.name) for path in self.directory.iterdir() if path.name.isdecimal())

    @property
    def latest(self) -> int | None:
        """The step of the latest checkpoint, or None."""
        return max(self.steps, default=None)

    @property
    def best(self) -> int | None:
        """The best step so far in the record of the latest undamaged checkpoint, or None."""
        for step in reversed(self.steps):
            try:
                return self.record(step).best
            except DamagedError:
                continue
        return self.latest

    def record(self, step: int) -> Record:
        """Reads a checkpoint's record.

        Raises:
            DamagedError: it is incomplete, or not as it was written.
            InputError: it can't be read.
        """
        with self._damage(step):
            folder = self.directory / str(step)
            if not (folder / "record").is_dir() and '"record"' not in (folder / "_CHECKPOINT_METADATA").read_text():
                return self._early_record(step)
            content = json.loads((folder / "record/metadata").read_text())
            if seal(content["record"]) != content["sha256"]:
                raise ValueError("its record is not as it was written")
            return Record(**{name: content["record"][name] for name in Record._fields})

    def _early_record(self, step: int) -> Record:
        """Builds the record of a checkpoint of hkjax 0.3 or before, which has a metric and no record."""
        values = {}
        for other in self.steps:
            path = self.directory / str(other) / "metrics/metrics"
            if other <= step and path.exists():
                values[other] = float(json.loads(path.read_text())[self.monitor])
        best = max(values, key=lambda step: (values[step], -step), default=None)
        return Record(None, best, None if best is None else values[best])

    def restore(self, step: int, like: TrainState) -> TrainState:
        """Restores the whole state of a step; `like` gives its shapes and devices.

        Raises:
            DamagedError: it can't be read, or an array is not as it was saved.
            InputError: it is of another model.
        """
        restored = self._restored(step, items_of(like))
        return TrainState(params=restored["params"], **restored["rest"])

    def restore_params(self, step: int, like: Params) -> Params:
        """Restores only the parameters; `like` gives their shapes and devices; raises as in `restore`."""
        return self._restored(step, {"params": like})["params"]

    def _restored(self, step: int, like: dict[str, Any]) -> dict[str, Any]:
        record = self.record(step)
        if record.arrays is not None:
            prefixes = tuple(f"{item}/" for item in like)
            there = {name: array for name, array in record.arrays.items() if name.startswith(prefixes)}
            if (found := difference(there, like, self._padded)) is not None:
                raise InputError(
                    f"{self.directory / str(step)}: is of another model: {found}; choose another --workdir"
                )
        with self._damage(step):
            handler = ocp.CompositeCheckpointHandler(
                **{name: ocp.StandardCheckpointHandler() for name in like}  # type: ignore[arg-type]
            )
            items = ocp.args.Composite(**{name: self._like(tree) for name, tree in like.items()})
            with ocp.Checkpointer(handler) as checkpointer:
                composite = checkpointer.restore(self.directory / str(step), args=items)
            restored = {name: composite[name] for name in like}
            if record.arrays is not None:
                for name, array in describe(restored).items():
                    if array["sum"] != record.arrays[name]["sum"]:
                        raise ValueError(f"the values of {name} differ from those saved")
        return restored

    def _like(self, tree: Any) -> ocp.args.StandardRestore:
        device = jax.sharding.SingleDeviceSharding(jax.devices()[0])

        def abstract(leaf: jax.Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding or device)

        return ocp.args.StandardRestore(jax.tree.map(abstract, tree), strict=not self._padded)

    @contextlib.contextmanager
    def _damage(self, step: int) -> Iterator[None]:
        """Turns errors that show damage into DamagedError, and others, such as missing rights, into InputError."""
        folder = self.directory / str(step)
        try:
            yield
        except (MemoryError, jax.errors.JaxRuntimeError, InputError):
            raise
        except Exception as error:  # Orbax and TensorStore raise many types of error for a damaged file.
            reason = textwrap.shorten(str(error).split(" [")[0] or type(error).__name__, 120)
            missing = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
            if (isinstance(error, OSError) and not isinstance(error, missing)) or re.search(_PASSING, str(error)):
                raise InputError(f"{folder}: can't be read ({reason})") from error
            raise DamagedError(f"{folder}: damaged ({reason})") from error


def items_of(state: TrainState) -> dict[str, Any]:
    """Returns the items of a checkpoint: the parameters, and the rest of the state."""
    rest = {"step": state.step, "opt_state": state.opt_state, "metric_sums": state.metric_sums}
    return {"params": state.params, "rest": rest}


def seal(record: dict[str, Any]) -> str:
    """Returns the SHA-256 of a record."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
