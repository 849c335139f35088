"""The training loop: epochs on the device, early stopping, checkpoints and logs."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from hkjax.errors import DivergenceError, InputError, TerminationError
from hkjax.models.base import Params
from hkjax.ranges import Checked, Count
from hkjax.training.hosts import Termination, broadcast_int, is_first, lost_peers
from hkjax.training.progress import EpochBar, EventLog, compiling, read_records
from hkjax.training.saving.recovery import restore_state
from hkjax.training.saving.writer import CheckpointWriter
from hkjax.training.state import TrainState
from hkjax.training.trainer import Trainer

_SECONDS_PER_CALL = 2.0
# A loss that is not finite at a thousandth of the learning rate has another cause.
_MOST_HALVINGS = 10


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Checked):
    """Length and batches of training.

    Attributes:
        batch_size: examples per step.
        epochs: the largest number of epochs.
        patience: number of epochs without a better validation metric after which training stops.
        monitor: the validation metric that decides, higher is better: `auc`, or one of the ranking
            metrics such as `recall@20` or `ndcg@20`.
        on_divergence: the action once the loss, the metric or a parameter is no longer finite: `stop`, or `rollback`
            to the last checkpoint (or the start) and continue with half the learning rate, up to ten times.
        refit: train also on the validation part, once the settings are chosen. Nothing is validated then, and training
            takes all its epochs.
        initialize_from: a work directory: start from its best parameters for all users, items and entities that
            are also here; empty for a fresh start.
    """

    batch_size: Count = 256
    epochs: Count = 30
    patience: Count = 3
    monitor: str = "auc"
    on_divergence: Literal["stop", "rollback"] = "stop"
    refit: bool = False
    initialize_from: str = ""


def fit(
    trainer: Trainer,
    validate: Callable[[Params], dict[str, float]],
    training: TrainingConfig,
    seed: int,
    workdir: Path,
    slower: Callable[[int], Trainer] | None = None,
) -> list[dict[str, Any]]:
    """Trains until the validation metric stops rising, resuming where the work directory left off.

    Step k draws its randomness only from the seed and k, and epoch e its order only from the seed and e. So an
    interrupted and resumed run ends with the parameters of an uninterrupted one.

    Args:
        trainer: the training steps of the model.
        validate: (params of `trainer.params`) -> metrics on the validation part, among them
            `training.monitor`; none where that part is empty.
        training: how long to train.
        seed: seed of initialisation, batches and dropout.
        workdir: receives checkpoints/, metrics.jsonl and tensorboard/.
        slower: (n) -> the trainer with its learning rate halved n times, for `on_divergence` = `rollback`.

    Returns:
        One record per epoch: epoch, step, the mean train metrics as `train_*` and the validation
        metrics as `validation_*`.

    Raises:
        TerminationError: SIGTERM came; the state was saved at the step where every process stopped.
        DivergenceError: the loss, the monitored metric or a parameter is no longer finite; earlier checkpoints stay.
        PeerError: another process was lost.
    """
    init_key, order_key, step_key = jax.random.split(jax.random.key(seed), 3)
    checkpoints = CheckpointWriter(workdir.resolve() / "checkpoints", training.monitor, trainer.padded)
    halvings = None
    with lost_peers(), checkpoints, Termination() as termination:
        while True:
            fresh = trainer.init(init_key)
            state, saved_halvings = restore_state(checkpoints, fresh) or (trainer.start(fresh), 0)
            halvings = saved_halvings if halvings is None else halvings
            used = slower(halvings) if halvings and slower else trainer
            if not int(state.step):
                _refuse_lost_checkpoints(workdir)
            log = EventLog(workdir, after_step=int(state.step), writes=is_first())
            save = partial(checkpoints.save, halvings=halvings)
            try:
                run = _Run(used, validate, training, order_key, step_key, log, checkpoints, save, termination)
                return _run_epochs(run, state)
            except DivergenceError as error:
                halvings += 1
                if training.on_divergence == "stop" or slower is None or halvings > _MOST_HALVINGS:
                    raise
                checkpoints.wait()
                if is_first():
                    back = f"step {checkpoints.latest}" if checkpoints.latest is not None else "the start"
                    print(f"{error}; back to {back}, with the learning rate divided by {2**halvings}", flush=True)


class _Run(NamedTuple):
    """Everything that the epochs of a run read and write besides the state.

    Attributes:
        trainer, validate, training: as in `fit`.
        order_key, step_key: for the order of an epoch, and for the draws of a step.
        log: the records of the epochs.
        checkpoints: its `best_so_far` decides when training ends.
        save: (state, monitored metrics) saves a checkpoint.
        termination: the signal to stop, if one came.
    """

    trainer: Trainer
    validate: Callable[[Params], dict[str, float]]
    training: TrainingConfig
    order_key: jax.Array
    step_key: jax.Array
    log: EventLog
    checkpoints: CheckpointWriter
    save: Callable[..., None]
    termination: Termination


def _run_epochs(run: _Run, state: TrainState) -> list[dict[str, Any]]:
    """Trains from the given state, and returns all records."""
    trainer, training, log = run.trainer, run.training, run.log
    steps_per_epoch, batch_size = trainer.recommender.batches.steps_per_epoch, trainer.recommender.batches.batch_size
    # Progress follows from the state; a lost record changes only the history.
    epoch = int(state.step) // steps_per_epoch
    log.warn_of_missing(epoch)

    def ended(n_epochs: int) -> bool:
        best_epoch = (run.checkpoints.best_so_far or 0) // steps_per_epoch
        most = 1 if trainer.recommender.trained == () else training.epochs
        return n_epochs >= most or (best_epoch > 0 and n_epochs - best_epoch >= training.patience)

    if ended(epoch):
        return log.records
    with compiling("the training step"):  # Taking no step compiles it, and changes nothing.
        order = trainer.epoch_order(jax.random.fold_in(run.order_key, epoch))
        state = jax.block_until_ready(trainer.train_steps(state, order, jnp.int32(0), run.step_key))
    validating: contextlib.AbstractContextManager[None] = compiling("validation")
    while not ended(epoch):
        order = trainer.epoch_order(jax.random.fold_in(run.order_key, epoch))
        with EpochBar(epoch, steps_per_epoch, batch_size) as bar:
            state = _run_epoch(run, state, order, bar)
        if not _all_finite((state.params, state.opt_state)):
            raise DivergenceError(f"training diverged by step {int(state.step)}: a parameter or moment is not finite")
        if int(state.step) % steps_per_epoch:
            run.save(state)
            raise _farewell(state, run.termination)
        means = {f"train_{k}": float(v) / steps_per_epoch for k, v in state.metric_sums.items()}
        with validating:
            metrics = run.validate(trainer.params(state))
        validating = contextlib.nullcontext()
        monitored = {name: value for name, value in metrics.items() if name == training.monitor}
        _refuse_divergence(monitored, int(state.step))
        state = state.replace(metric_sums=jax.tree.map(jnp.zeros_like, state.metric_sums))
        validation = {f"validation_{k}": v for k, v in metrics.items()}
        log.write({"epoch": epoch + 1, "step": int(state.step), "seconds": bar.seconds, **means, **validation})
        run.save(state, monitored)
        epoch += 1
        if run.termination.should_stop(int(state.step)) and not ended(epoch):
            raise _farewell(state, run.termination)
    return log.records


def _run_epoch(run: _Run, state: TrainState, order: jax.Array, bar: EpochBar) -> TrainState:
    """Runs the rest of the epoch, or until termination, in calls of about two seconds so that the bar moves."""
    total = run.trainer.recommender.batches.steps_per_epoch
    done, n_steps = int(state.step) % total, 1
    while done < total:
        n_steps = min(n_steps, total - done)
        start = time.perf_counter()
        state = run.trainer.train_steps(state, order, jnp.int32(n_steps), run.step_key)
        jax.block_until_ready(state.step)
        rate = n_steps / (time.perf_counter() - start)
        done += n_steps
        means = {k: float(v) / done for k, v in state.metric_sums.items()}
        _refuse_divergence(means, int(state.step))
        bar.update(done, means)
        n_steps = broadcast_int(max(1, int(rate * _SECONDS_PER_CALL)))
        if done < total and run.termination.should_stop(int(state.step)):
            break
    return state


def _farewell(state: TrainState, termination: Termination) -> TerminationError:
    message = f"step {int(state.step)} is saved, and the same command resumes there"
    return TerminationError(f"stopped by {termination.signal.name}: {message}", 128 + termination.signal)


def _refuse_divergence(means: dict[str, float], step: int) -> None:
    for name, value in means.items():
        if not math.isfinite(value):
            raise DivergenceError(f"training diverged by step {step}: {name} is {value}")


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def _refuse_lost_checkpoints(workdir: Path) -> None:
    # A killed run may have two records ahead of its first checkpoint, which is written in the background.
    n_records = len(read_records(workdir))
    if n_records > 2 or (workdir / "damaged").exists():
        raise InputError(
            f"{workdir}/checkpoints: holds none, though {n_records} epochs were trained; put them back, or choose "
            "another --workdir"
        )
