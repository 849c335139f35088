"""Signals, and several processes on one machine that train as one."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from hkjax.data.synthetic import SyntheticConfig
from hkjax.errors import InputError
from hkjax.experiment import Experiment, evaluate_workdir, load_workdir, train_experiment
from hkjax.training.checkpoint import Checkpoints
from hkjax.training.hosts import connect
from hkjax.training.loop import TrainingConfig
from hkjax.training.progress import read_records

ROOT = Path(__file__).parents[2]
SMALL = ("--config.synthetic.n_users=60", "--config.synthetic.n_items=40", "--config.training.batch_size=64")
HAKG = ("--config=configs/hakg_synthetic.py", "--config.model.dim=8", "--config.model.edge_keep=1.0")


def start(workdir, *flags, devices=1):
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    first = [flag for flag in flags if flag.startswith("--config=")]
    others = [flag for flag in flags if flag not in first]
    command = [sys.executable, "train.py", *first, *SMALL, *others, f"--workdir={workdir}"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finished(process, code=0):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


def test_sigterm_saves_the_step_and_the_same_command_goes_on(tmp_path):
    epochs = ("--config.training.epochs=20", "--config.training.patience=20", "--config.training.monitor=recall@20")
    stopped = start(tmp_path, *epochs)
    while len(read_records(tmp_path)) < 2 and stopped.poll() is None:
        time.sleep(0.01)
    stopped.send_signal(signal.SIGTERM)
    output = finished(stopped, code=143)
    step = int(output.rsplit("stopped by SIGTERM: step ", 1)[1].split()[0])
    before = read_records(tmp_path)
    assert before[-1]["step"] <= step
    with Checkpoints(tmp_path / "checkpoints", "recall@20") as checkpoints:
        assert checkpoints.latest == step
    finished(start(tmp_path, *epochs))
    after = read_records(tmp_path)
    assert len(after) == 20
    assert after[: len(before)] == before


@pytest.mark.parametrize("flags", [(), HAKG], ids=["hkrm", "hakg"])
def test_two_processes_end_with_the_parameters_of_one(tmp_path, flags):
    sgd = (*flags, "--config.training.epochs=2", "--config.optimizer.name=sgd", "--config.optimizer.learning_rate=0.5")
    if flags:
        sgd = (*sgd, "--config.model.interaction_keep=1.0")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{probe.getsockname()[1]}"
    together = [
        start(tmp_path / "two", *sgd, f"--coordinator={coordinator}", "--num_processes=2", f"--process_id={k}")
        for k in range(2)
    ]
    alone = start(tmp_path / "one", *sgd)
    for process in (alone, *together):
        finished(process)
    two, one = (load_workdir(tmp_path / name, "latest").params for name in ("two", "one"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), two, one)
    records = [read_records(tmp_path / name) for name in ("two", "one")]
    assert [r["step"] for r in records[0]] == [r["step"] for r in records[1]]


def test_a_run_on_four_devices_is_evaluated_alike_on_three(tmp_path):
    experiment = Experiment(
        synthetic=SyntheticConfig(n_users=60, n_items=40), training=TrainingConfig(batch_size=60, epochs=2)
    )
    assert jax.device_count() == 4
    train_experiment(experiment, tmp_path)
    evaluate_workdir(tmp_path)
    report = (tmp_path / "report.json").read_text()
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=3"}
    command = [sys.executable, "evaluate.py", f"--workdir={tmp_path}"]
    subprocess.run(command, cwd=ROOT, check=True, env=environment, stdout=subprocess.DEVNULL)
    assert (tmp_path / "report.json").read_text() == report


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((None, 2, 0), "need --coordinator"),
        (("localhost:1", None, 0), "needs --num_processes"),
        (("localhost:1", 2, 2), "from 0 to N - 1"),
    ],
)
def test_flags_that_do_not_fit_together_are_refused(args, message):
    with pytest.raises(InputError, match=message):
        connect(*args)
