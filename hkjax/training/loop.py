"""The training loop: epochs on the device, early stopping, checkpoints and logs."""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.errors import InputError, TerminationError
from hkjax.models.base import Params
from hkjax.ranges import Checked, Count
from hkjax.training.checkpoint import Checkpoints
from hkjax.training.hosts import Termination, broadcast_int, is_first, lost_peers
from hkjax.training.progress import EpochBar, EventLog
from hkjax.training.state import TrainState
from hkjax.training.trainer import Trainer

_SECONDS_PER_CALL = 1.0


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Checked):
    """How long to train, and in which batches.

    Attributes:
        batch_size: examples per step.
        epochs: the largest number of epochs.
        patience: number of epochs without a better validation metric after which training stops.
        monitor: the validation metric that decides, higher is better: `auc`, or one of the ranking
            metrics such as `recall@20` or `ndcg@20`.
        initialize_from: a work directory whose best parameters to start from, for all users, items and entities
            that are also here; empty for a fresh start.
    """

    batch_size: Count = 256
    epochs: Count = 30
    patience: Count = 3
    monitor: str = "auc"
    initialize_from: str = ""


def fit(
    trainer: Trainer,
    validate: Callable[[Params], dict[str, float]],
    training: TrainingConfig,
    seed: int,
    workdir: Path,
) -> list[dict[str, Any]]:
    """Trains until the validation metric stops rising, resuming where the work directory left off.

    Step k draws its randomness from the seed and k alone, and epoch e its order from the seed and e. So a
    run that was interrupted and resumed ends with the parameters of one that was not.

    Args:
        trainer: the training steps of the model.
        validate: (params of `trainer.params`) -> metrics on the validation part, among them
            `training.monitor`.
        training: how long to train.
        seed: seed of initialisation, batches and dropout.
        workdir: receives checkpoints/, metrics.jsonl and tensorboard/.

    Returns:
        One record per epoch: epoch, step, the mean train metrics as `train_*` and the validation
        metrics as `validation_*`.

    Raises:
        TerminationError: SIGTERM came; the state was saved at the step where every process stopped.
        InputError: the loss or the monitored metric is no longer finite; what was saved before stays.
        PeerError: another process was lost.
    """
    init_key, order_key, step_key = jax.random.split(jax.random.key(seed), 3)
    steps_per_epoch, batch_size = trainer.recommender.batches.steps_per_epoch, trainer.recommender.batches.batch_size
    state = trainer.init(init_key)
    checkpoints = Checkpoints(workdir.resolve() / "checkpoints", training.monitor, trainer.padded)
    with lost_peers(), checkpoints, Termination() as termination:
        if checkpoints.latest is not None:
            state = checkpoints.restore(checkpoints.latest, state)
        log = EventLog(workdir, after_step=int(state.step), writes=is_first())
        # The state says how far training is; a record that was lost changes nothing but the history.
        epoch = int(state.step) // steps_per_epoch
        _warn_of_missing(log.records, epoch, workdir)
        while not _finished(epoch, log.records, training):
            order = trainer.epoch_order(jax.random.fold_in(order_key, epoch))
            with EpochBar(epoch, steps_per_epoch, batch_size) as bar:
                state = _run_epoch(state, trainer, order, step_key, bar, termination)
            if int(state.step) % steps_per_epoch:
                checkpoints.save(state)
                raise TerminationError(_farewell(state))
            means = {f"train_{k}": float(v) / steps_per_epoch for k, v in state.metric_sums.items()}
            metrics = validate(trainer.params(state))
            _refuse_divergence({training.monitor: metrics[training.monitor]}, int(state.step))
            state = state.replace(metric_sums=jax.tree.map(jnp.zeros_like, state.metric_sums))
            validation = {f"validation_{k}": v for k, v in metrics.items()}
            log.write({"epoch": epoch + 1, "step": int(state.step), "seconds": bar.seconds, **means, **validation})
            checkpoints.save(state, {training.monitor: metrics[training.monitor]})
            epoch += 1
            if termination.should_stop(int(state.step)) and not _finished(epoch, log.records, training):
                raise TerminationError(_farewell(state))
    return log.records


def _run_epoch(
    state: TrainState, trainer: Trainer, order: jax.Array, key: jax.Array, bar: EpochBar, termination: Termination
) -> TrainState:
    """Runs the rest of the epoch in calls of about a second each, so that the bar moves, or until it is to stop."""
    total = trainer.recommender.batches.steps_per_epoch
    done, n_steps = int(state.step) % total, 1
    while done < total:
        n_steps = min(n_steps, total - done)
        start = time.perf_counter()
        state = trainer.train_steps(state, order, jnp.int32(n_steps), key)
        jax.block_until_ready(state.step)
        rate = n_steps / (time.perf_counter() - start)
        done += n_steps
        means = {k: float(v) / done for k, v in state.metric_sums.items()}
        _refuse_divergence(means, int(state.step))
        bar.update(done, means)
        n_steps = broadcast_int(max(1, int(rate * _SECONDS_PER_CALL)))
        if done < total and termination.should_stop(int(state.step)):
            break
    return state


def _farewell(state: TrainState) -> str:
    return f"stopped by SIGTERM: step {int(state.step)} is saved, and the same command goes on from there"


def _refuse_divergence(means: dict[str, float], step: int) -> None:
    for name, value in means.items():
        if not math.isfinite(value):
            raise InputError(
                f"training diverged by step {step}: {name} is {value}. Checkpoints of earlier epochs stay. "
                "Start a new --workdir with a smaller optimizer.learning_rate"
            )


def _warn_of_missing(records: list[dict[str, Any]], n_epochs: int, workdir: Path) -> None:
    missing = sorted({*range(1, n_epochs + 1)} - {record["epoch"] for record in records})
    if missing and is_first():
        print(f"{workdir}/metrics.jsonl: no record of epochs {', '.join(map(str, missing))}, which were trained")


def _finished(n_epochs: int, records: list[dict[str, Any]], training: TrainingConfig) -> bool:
    if n_epochs >= training.epochs:
        return True
    if not records:
        return False
    best = max(records, key=lambda record: record[f"validation_{training.monitor}"])
    return n_epochs - best["epoch"] >= training.patience
