"""The training loop: epochs on the device, early stopping, checkpoints and logs."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.errors import TerminationError
from hkjax.models.base import Params
from hkjax.ranges import Checked, Count
from hkjax.training.checkpoint import Checkpoints
from hkjax.training.hosts import Termination, agree, is_first, lost_peers
from hkjax.training.parallel import Runner
from hkjax.training.progress import EpochBar, EventLog
from hkjax.training.state import TrainState

_SECONDS_PER_STRETCH = 1.0


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Checked):
    """How long to train, and in which batches.

    Attributes:
        batch_size: examples per step.
        epochs: at most so many.
        patience: stop after so many epochs without a better validation metric.
        monitor: the validation metric that decides, higher is better: `auc`, or one of the ranking
            metrics such as `recall@20` or `ndcg@20`.
    """

    batch_size: Count = 256
    epochs: Count = 30
    patience: Count = 3
    monitor: str = "auc"


def fit(
    runner: Runner,
    validate: Callable[[Params], dict[str, float]],
    training: TrainingConfig,
    seed: int,
    workdir: Path,
) -> list[dict[str, Any]]:
    """Trains until the validation metric stops rising, resuming where the work directory left off.

    Step k draws its randomness from the seed and k alone, and epoch e its order from the seed and
    e; so a run that was interrupted and resumed ends with the parameters of one that was not.

    Args:
        runner: the training steps of the model.
        validate: parameters, as `runner.params` returns them, -> metrics on the validation part, among
            them `training.monitor`.
        training: see its class.
        seed: seed of initialisation, batches and dropout.
        workdir: receives checkpoints/, metrics.jsonl and tensorboard/.

    Raises:
        TerminationError: SIGTERM came; the state was saved at the step where every process stopped.
        PeerError: another process was lost.

    Returns:
        One record per epoch: epoch, step, the mean train metrics as `train_*` and the validation
        metrics as `validation_*`.
    """
    init_key, shuffle_key, step_key = jax.random.split(jax.random.key(seed), 3)
    batches = runner.recommender.batches
    state = runner.init(init_key)
    directory = workdir.resolve() / "checkpoints"
    checkpoints = Checkpoints(directory, training.monitor, runner.shard_embeddings)
    with lost_peers(), checkpoints, Termination() as termination:
        if checkpoints.latest is not None:
            state = checkpoints.restore(checkpoints.latest, state)
        log = EventLog(workdir, after_step=int(state.step), writes=is_first())
        while not _finished(log.records, training):
            epoch = len(log.records)
            order = runner.shuffle(jax.random.fold_in(shuffle_key, epoch))
            with EpochBar(epoch, batches.steps_per_epoch, batches.batch_size) as bar:
                state = _run_epoch(state, runner, order, step_key, bar, termination)
            if int(state.step) % batches.steps_per_epoch:
                checkpoints.save(state)
                raise TerminationError(_farewell(state))
            means = {f"train_{k}": float(v) / batches.steps_per_epoch for k, v in state.sums.items()}
            metrics = validate(runner.params(state))
            state = state.replace(sums=jax.tree.map(jnp.zeros_like, state.sums))
            validation = {f"validation_{k}": v for k, v in metrics.items()}
            log.write({"epoch": epoch + 1, "step": int(state.step), "seconds": bar.seconds, **means, **validation})
            checkpoints.save(state, {training.monitor: metrics[training.monitor]})
            if termination.came_by(int(state.step)) and not _finished(log.records, training):
                raise TerminationError(_farewell(state))
    return log.records


def _run_epoch(
    state: TrainState,
    runner: Runner,
    order: jax.Array,
    key: jax.Array,
    bar: EpochBar,
    termination: Termination,
) -> TrainState:
    """Runs the epoch in stretches of about a second, so that the bar moves, or until it is to stop."""
    total = runner.recommender.batches.steps_per_epoch
    done, n_steps = int(state.step) % total, 1
    while done < total:
        n_steps = min(n_steps, total - done)
        start = time.perf_counter()
        state = runner.run(state, order, jnp.int32(n_steps), key)
        jax.block_until_ready(state.step)
        rate = n_steps / (time.perf_counter() - start)
        done += n_steps
        bar.update(done, {k: float(v) / done for k, v in state.sums.items()})
        n_steps = agree(max(1, int(rate * _SECONDS_PER_STRETCH)))
        if done < total and termination.came_by(int(state.step)):
            break
    return state


def _farewell(state: TrainState) -> str:
    return f"stopped by SIGTERM: step {int(state.step)} is saved, and the same command goes on from there"


def _finished(records: list[dict[str, Any]], training: TrainingConfig) -> bool:
    if len(records) >= training.epochs:
        return True
    values = [record[f"validation_{training.monitor}"] for record in records]
    return bool(values) and len(values) - 1 - values.index(max(values)) >= training.patience
