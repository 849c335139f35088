"""Whole runs on tiny data: they learn, resume to the bit, compile once and stop early."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from hkjax.data.synthetic import SyntheticConfig
from hkjax.errors import InputError
from hkjax.evaluation.evaluate import EvaluationConfig
from hkjax.experiment import Experiment
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from hkjax.runs import load_workdir, train_experiment
from hkjax.training.loop import TrainingConfig, fit
from hkjax.training.progress import read_records
from hkjax.training.saving.checkpoint import Checkpoints
from hkjax.training.state import make_optimizer
from hkjax.training.trainer import make_trainer
from tests.training.small_runs import OPTIMIZER, assert_equal, compiled, latest, run

ROOT = Path(__file__).parents[2]


def test_the_loss_falls_and_records_are_written(recommender, tiny_data, tmp_path):
    records = run(recommender, tiny_data, tmp_path, 8)
    assert records[-1]["train_loss"] < records[0]["train_loss"]
    assert [r["epoch"] for r in records] == list(range(1, 9))
    assert records == read_records(tmp_path)
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_resumed_run_is_the_run_that_was_not_interrupted(recommender, tiny_data, tmp_path):
    run(recommender, tiny_data, tmp_path / "whole", 5)
    for epochs in (2, 3, 5):
        run(recommender, tiny_data, tmp_path / "parts", epochs)
    assert_equal(latest(recommender, tmp_path / "whole"), latest(recommender, tmp_path / "parts"))
    whole, parts = (read_records(tmp_path / name) for name in ("whole", "parts"))
    assert [{**r, "seconds": 0} for r in whole] == [{**r, "seconds": 0} for r in parts]


def test_a_record_without_its_checkpoint_is_taken_again(recommender, tiny_data, tmp_path):
    run(recommender, tiny_data, tmp_path, 2)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 3, "step": 10**6}) + '\n{"epoch": 4, "st')
    assert [r["epoch"] for r in run(recommender, tiny_data, tmp_path, 3)] == [1, 2, 3]


def test_lost_records_do_not_change_when_training_ends(recommender, tiny_data, tmp_path):
    metrics = {1: 0.5, 2: 0.7, 3: 0.6, 4: 0.65, 5: 0.6, 6: 0.9}
    training, steps = TrainingConfig(32, 10, patience=3), recommender.batches.steps_per_epoch

    def fit_until(epochs):
        values = iter(list(metrics.values())[last_epoch(tmp_path, steps) :])
        limited = TrainingConfig(32, epochs, patience=3)
        return fit(compiled(recommender, tiny_data)[0], lambda params: {"auc": next(values)}, limited, 0, tmp_path)

    fit_until(3)
    (tmp_path / "metrics.jsonl").unlink()
    assert [record["epoch"] for record in fit_until(training.epochs)] == [4, 5]


def last_epoch(workdir, steps_per_epoch):
    return (Checkpoints(workdir / "checkpoints", "auc").latest or 0) // steps_per_epoch


DAMAGE = {
    "missing": lambda lines: lines[1:],
    "doubled": lambda lines: [*lines, lines[-1]],
    "swapped": lambda lines: lines[::-1],
    "all gone": lambda lines: [],
}


@pytest.fixture(scope="module")
def after_four_epochs(recommender, tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(recommender, tiny_data, folder, 4)
    return latest(recommender, folder)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_record_neither_repeats_nor_skips_an_epoch(
    kind, after_four_epochs, recommender, tiny_data, tmp_path, capsys
):
    run(recommender, tiny_data, tmp_path / "damaged", 2)
    path = tmp_path / "damaged/metrics.jsonl"
    path.write_text("".join(DAMAGE[kind](path.read_text().splitlines(keepends=True))))
    capsys.readouterr()
    records = run(recommender, tiny_data, tmp_path / "damaged", 4)
    missing = {"missing": "1", "all gone": "1, 2"}.get(kind)
    assert (f"no record of epochs {missing}, which" in capsys.readouterr().out) == (missing is not None)
    assert [r["epoch"] for r in records] == {"missing": [2, 3, 4], "all gone": [3, 4]}.get(kind, [1, 2, 3, 4])
    assert_equal(after_four_epochs, latest(recommender, tmp_path / "damaged"))


def test_garbage_among_the_records_is_refused_with_its_line(recommender, tiny_data, tmp_path):
    run(recommender, tiny_data, tmp_path, 2)
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + "garbage\n")
    with pytest.raises(InputError, match=r"metrics.jsonl:3: not a record"):
        run(recommender, tiny_data, tmp_path, 3)


def test_training_stops_once_the_metric_no_longer_rises(recommender, tiny_data, tmp_path):
    metrics = iter([0.5, 0.7, 0.6, 0.65, 0.9])
    training = TrainingConfig(32, 10, patience=2)
    records = fit(compiled(recommender, tiny_data)[0], lambda params: {"auc": next(metrics)}, training, 0, tmp_path)
    assert [r["validation_auc"] for r in records] == [0.5, 0.7, 0.6, 0.65]
    checkpoints = Checkpoints(tmp_path / "checkpoints", "auc")
    assert checkpoints.best == records[1]["step"]
    assert checkpoints.latest == records[3]["step"]


def test_calls_compile_once_donate_and_do_not_depend_on_their_length(recommender):
    traces, ends, n_traces = [], [], 0

    def loss(*args):
        traces.append(args)
        return recommender.loss(*args)

    trainer = make_trainer(recommender._replace(loss=loss), make_optimizer(OPTIMIZER, 1))
    order = trainer.epoch_order(jax.random.key(1))
    for lengths in ([6], [1, 2, 3]):
        state = trainer.init(jax.random.key(0))
        for n in lengths:
            before = state
            state = trainer.train_steps(state, order, jnp.int32(n), jax.random.key(2))
            n_traces = n_traces or len(traces)
            assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before))
        ends.append(state)
    assert_equal(*ends)
    assert len(traces) == n_traces


def test_a_checkpoint_of_another_shape_is_refused(recommender, tiny_data, tmp_path):
    run(recommender, tiny_data, tmp_path, 1)
    other = hkrm(HKRMConfig(dim=4), tiny_data, batch_size=32)
    with pytest.raises(InputError, match="of another model"):
        run(other, tiny_data, tmp_path, 2)


@pytest.fixture
def little_room():
    """Lets no file grow beyond 20 kB: enough for the logs, not for wide tables nor JAX's own cache."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    cache = jax.config.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", False)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    jax.config.update("jax_enable_compilation_cache", cache)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Of orbax's unfinished writing.
def test_where_nothing_can_be_written_the_last_checkpoint_stays(little_room, tiny_data, tmp_path):
    wide = hkrm(HKRMConfig(dim=256), tiny_data, batch_size=32)
    run(wide, tiny_data, tmp_path, 2)
    little_room()
    with pytest.raises(InputError, match=r"can't save \(File too large\); the last checkpoint stays"):
        run(wide, tiny_data, tmp_path, 4)
    checkpoints = Checkpoints(tmp_path / "checkpoints", "auc")
    assert checkpoints.latest == 2 * wide.batches.steps_per_epoch


def test_a_killed_run_ends_with_the_parameters_of_one_that_was_not(tmp_path):
    experiment = Experiment(
        synthetic=SyntheticConfig(n_users=60, n_items=40),
        model=HKRMConfig(l2=1e-6),
        training=TrainingConfig(64, 5, patience=9),
        evaluation=EvaluationConfig(tuning=10.0),
        mesh=(1, 1),
    )
    train_experiment(experiment, tmp_path / "whole")
    flags = ("synthetic.n_users=60", "synthetic.n_items=40", "mesh=(1,1)", "training.batch_size=64")
    flags = [f"--config.{flag}" for flag in (*flags, "training.epochs=5", "training.patience=9")]
    command = [sys.executable, "train.py", *flags, f"--workdir={tmp_path / 'killed'}"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while not list((tmp_path / "killed/checkpoints").glob("[0-9]*[0-9]")) and run.poll() is None:
        time.sleep(0.002)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert len(read_records(tmp_path / "killed")) < 5
    train_experiment(experiment, tmp_path / "killed")
    whole, killed = (load_workdir(tmp_path / name, "latest").params for name in ("whole", "killed"))
    assert_equal(whole, killed)
