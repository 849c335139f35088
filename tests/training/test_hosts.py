"""Signals, other numbers of devices, and several processes on one machine that train as one."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from hkjax.cli import run as command_line
from hkjax.data.config import DataConfig
from hkjax.data.synthetic import SyntheticConfig
from hkjax.errors import InputError, TerminationError
from hkjax.evaluation.evaluate import EvaluationConfig
from hkjax.experiment import Experiment
from hkjax.models.lightgcn import LightGCNConfig
from hkjax.runs import evaluate_workdir, load_workdir, train_experiment
from hkjax.training.hosts import connect
from hkjax.training.loop import TrainingConfig
from hkjax.training.progress import read_records
from hkjax.training.saving.checkpoint import Checkpoints
from hkjax.training.state import OptimizerConfig

ROOT = Path(__file__).parents[2]
SMALL = Experiment(
    synthetic=SyntheticConfig(n_users=60, n_items=40),
    training=TrainingConfig(batch_size=60, epochs=2, patience=99),
    evaluation=EvaluationConfig(tuning=0.0),
)
LIGHTGCN = LightGCNConfig(dim=8, layers=2)
# What each of two processes runs: the experiments one after the other.
TOGETHER = """
import json, sys
from pathlib import Path
from hkjax.experiment import read_experiment
from hkjax.runs import train_experiment
from hkjax.training.hosts import connect
coordinator, k, *runs = sys.argv[1:]
connect(coordinator, 2, int(k))
for run in map(json.loads, runs):
    train_experiment(read_experiment(run["experiment"]), Path(run["workdir"]))
"""


def start(*command):
    """Starts Python on one device."""
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_sigterm_saves_the_step_and_the_same_call_goes_on(tmp_path):
    training = dataclasses.replace(SMALL.training, epochs=12)
    experiment = dataclasses.replace(SMALL, model=LIGHTGCN, training=training, mesh=(1, 1))

    def stop_in_the_third_epoch():
        while len(read_records(tmp_path)) < 2:
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_in_the_third_epoch).start()
    with pytest.raises(TerminationError, match="stopped by SIGTERM: step") as stopped:
        train_experiment(experiment, tmp_path)
    before = read_records(tmp_path)
    checkpoints = Checkpoints(tmp_path / "checkpoints", "auc")
    assert f"step {checkpoints.latest} is saved" in str(stopped.value)
    assert checkpoints.latest >= before[-1]["step"]
    after = train_experiment(experiment, tmp_path)
    assert len(after) == 12
    assert after[: len(before)] == before


def test_the_command_line_exits_as_documented(monkeypatch, capsys):
    monkeypatch.setattr(command_line, "_parse", lambda define_flags, config: None)

    def stopped():
        raise TerminationError("stopped by SIGTERM")

    with pytest.raises(SystemExit) as exit_code:
        command_line.run(lambda: None, stopped, None)
    assert exit_code.value.code == 143
    assert capsys.readouterr().err == "stopped by SIGTERM\n"


def test_two_processes_end_with_the_parameters_of_one(tmp_path):
    sgd = dataclasses.replace(SMALL, optimizer=OptimizerConfig(name="sgd", learning_rate=0.5))
    ranking = DataConfig(split="per_user")
    monitored = dataclasses.replace(sgd.training, monitor="recall@20")
    experiments = {
        "whole": dataclasses.replace(sgd, model=LIGHTGCN),
        "sharded": dataclasses.replace(sgd, model=LIGHTGCN, data=ranking, training=monitored, mesh=(1, -1)),
    }
    runs = [
        json.dumps({"experiment": dataclasses.asdict(e), "workdir": str(tmp_path / f"{name}-two")})
        for name, e in experiments.items()
    ]
    address = free_address()
    processes = [start("-c", TOGETHER, address, str(k), *runs) for k in range(2)]
    for name, experiment in experiments.items():
        alone = dataclasses.replace(experiment, mesh=(1, 1))
        train_experiment(alone, tmp_path / f"{name}-one")
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    for name in experiments:
        folders = [tmp_path / f"{name}-{count}" for count in ("one", "two")]
        one, two = (load_workdir(folder, "latest").params for folder in folders)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), two, one)
        steps = [[record["step"] for record in read_records(folder)] for folder in folders]
        assert steps[0] == steps[1]
        assert steps[0][-1] >= 20
        recalls = [[r[f"validation_{experiments[name].training.monitor}"] for r in read_records(f)] for f in folders]
        np.testing.assert_allclose(*recalls, rtol=1e-5)


def test_the_loss_of_a_process_ends_the_other_with_a_clear_message(tmp_path):
    address, flags = free_address(), ("--config.synthetic.n_users=60", "--config.training.batch_size=60")
    endless = ("--config.training.epochs=9999", "--config.training.patience=9999", f"--coordinator={address}")
    command = ("train.py", *flags, *endless, f"--workdir={tmp_path}", "--num_processes=2")
    first, second = (start(*command, f"--process_id={k}") for k in range(2))
    while not read_records(tmp_path) and first.poll() is None:
        time.sleep(0.05)
    second.kill()
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 1, output
    assert output.splitlines()[-1].startswith("error: another process was lost")


def test_tables_sharded_over_four_devices_are_evaluated_alike_on_three(tmp_path, capsys):
    assert jax.device_count() == 4
    monitored = dataclasses.replace(SMALL.training, monitor="recall@20")
    ranking = dataclasses.replace(SMALL, model=LIGHTGCN, data=DataConfig(split="per_user"), training=monitored)
    train_experiment(dataclasses.replace(ranking, mesh=(1, -1)), tmp_path)
    capsys.readouterr()
    report = evaluate_workdir(tmp_path)
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "3"}
    command = [sys.executable, "evaluate.py", f"--workdir={tmp_path}"]
    on_three = subprocess.run(command, cwd=ROOT, check=True, env=environment, capture_output=True, text=True)
    assert on_three.stdout == f"{capsys.readouterr().out}report: {tmp_path}/report.md\n"
    assert json.loads((tmp_path / "report.json").read_text()) == report
    # The ranks of near ties depend on rounding, which these two do not.
    sharded = evaluate_workdir(tmp_path, mesh=(2, 2))
    for metric in ("auc", "log_loss"):
        np.testing.assert_allclose(sharded["test"][metric], report["test"][metric], rtol=1e-4, err_msg=metric)


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
