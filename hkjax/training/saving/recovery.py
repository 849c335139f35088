"""The choice of the checkpoint to restore, and of another if it is damaged."""

import sys
import time
from typing import NamedTuple

import jax

from hkjax.errors import InputError
from hkjax.models.base import Params
from hkjax.training.hosts import is_first
from hkjax.training.saving.checkpoint import Checkpoints, DamagedError
from hkjax.training.saving.writer import CheckpointWriter
from hkjax.training.state import TrainState

# A training run removes old checkpoints while others read. Readers list them again after this time.
_SECONDS_TO_SETTLE, _ROUNDS = 0.5, 5


def restore_state(checkpoints: CheckpointWriter, like: TrainState) -> tuple[TrainState, int] | None:
    """Restores the latest whole state, and how often its learning rate was halved; None where nothing was saved.

    Damaged checkpoints after it are moved to damaged/ in the work directory, with a line on stderr.

    Args:
        checkpoints: the checkpoints of the run.
        like: a state, for shapes and devices.

    Raises:
        InputError: a checkpoint is of another model or can't be read, or all are damaged; nothing is moved then. With
            several processes nothing is ever moved, and the first damage is an error.
    """
    damaged: dict[int, DamagedError] = {}
    for step in reversed(checkpoints.steps):
        try:
            state, record = checkpoints.restore(step, like), checkpoints.record(step)
        except DamagedError as error:
            if jax.process_count() > 1:
                raise InputError(f"{error}; move it away, and the same commands resume from the one before") from error
            damaged[step] = error
            continue
        for other, damage in damaged.items():
            print(f"{damage}; moved to {checkpoints.set_aside(other)}", file=sys.stderr)
        if damaged:
            checkpoints.reload()
        checkpoints.go_on_from(record)
        return state, record.halvings
    if damaged:
        raise InputError(f"{next(iter(damaged.values()))}; no other checkpoint is left: choose a new --workdir")
    return None


class Restored(NamedTuple):
    """Parameters, their step, and a line that explains why it is not the requested step."""

    params: Params
    step: int
    notice: str


def restore_params(checkpoints: Checkpoints, like: Params, best: bool) -> Restored | None:
    """Restores the parameters of the best or the latest checkpoint, or of another if damaged; changes no file.

    The latest replaces a damaged best one, and the one before replaces a damaged latest one.

    Args:
        checkpoints: the checkpoints of a run, which may still train.
        like: the parameters' shapes and devices.
        best: whether to restore the best one, or the latest.

    Returns:
        The parameters; None where nothing was saved.

    Raises:
        InputError: a checkpoint is of another model, or all are damaged.
    """
    found: Restored | DamagedError | None = None
    for _ in range(_ROUNDS):
        steps = checkpoints.steps
        found = _attempt(checkpoints, steps, like, best)
        if found is None or (isinstance(found, Restored) and not found.notice):
            return found
        time.sleep(_SECONDS_TO_SETTLE)
        if checkpoints.steps == steps:
            break
    if isinstance(found, DamagedError):
        raise InputError(f"{found}; no other checkpoint is left: train in a new --workdir") from found
    if is_first() and found is not None:
        print(found.notice, file=sys.stderr)
    return found


def _attempt(checkpoints: Checkpoints, steps: list[int], like: Params, best: bool) -> Restored | DamagedError | None:
    wanted = checkpoints.best if best else max(steps, default=None)
    if wanted is None:
        return None
    reason: Exception | str | None = None if wanted in steps else f"{checkpoints.directory / str(wanted)}: missing"
    damage: DamagedError | None = None
    for step in dict.fromkeys([wanted, *reversed(steps)]):
        if step not in steps:
            continue
        try:
            params = checkpoints.restore_params(step, like)
        except DamagedError as error:
            damage, reason = error, reason or error
            continue
        which = "best" if best else "latest"
        return Restored(params, step, f"{reason}; this is of step {step}, not of the {which}" if reason else "")
    return damage
