"""The two doors, as a person meets them."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from hkjax.cli import main
from hkjax.config import settings
from hkjax.experiment import Experiment

ROOT = Path(__file__).parents[2]
SMALL = ("--config.synthetic.n_users=60", "--config.synthetic.n_items=120", "--config.training.epochs=2")


def call(door, *arguments):
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    return subprocess.run([sys.executable, door, *arguments], cwd=ROOT, capture_output=True, text=True, env=environment)


def assert_one_line(code, stderr, message):
    assert code == 2
    assert message in stderr
    assert stderr.count("\n") == 1
    assert "Traceback" not in stderr


@pytest.fixture
def call_here(monkeypatch, capsys):
    """Runs a door in this process, with flags of its own: returns its exit code and what it wrote to stderr."""

    def call(door, *arguments):
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, "argv", [door, *arguments])
        before = set(flags.FLAGS)
        try:
            with pytest.raises(SystemExit) as stopped:
                runpy.run_path(door, run_name="__main__")
        finally:
            flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)
            flags.FLAGS.unparse_flags()
            # A configuration file would find the names of the one before, whose module has the same name.
            sys.modules.pop("config_config", None)
        return stopped.value.code, capsys.readouterr().err

    return call


def test_train_and_evaluate_leave_a_whole_work_directory(tmp_path):
    assert call("train.py", *SMALL, f"--workdir={tmp_path}").returncode == 0
    result = call("evaluate.py", f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert "popularity" in result.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert 0 < report["test"]["auc"] < 1
    assert {"recall@20", "ndcg@20", "precision@1", "hit_rate@100"} <= report["test"].keys()
    assert report["test"].keys() == report["baselines"]["popularity"].keys()
    low, high = report["intervals"]["test"]["auc"]
    assert low < report["test"]["auc"] < high
    assert "test_without_history" in report["rows"]
    for picture in ("training", "top_k", "preference"):
        assert (tmp_path / f"plots/{picture}.png").stat().st_size > 10_000
        assert f"plots/{picture}.png" in (tmp_path / "report.md").read_text()
    other = call("train.py", *SMALL, "--config.model.dim=7", f"--workdir={tmp_path}")
    assert_one_line(other.returncode, other.stderr, "belongs to another configuration (model.dim: 50 there, 7 here)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.model.poling=mean"], "--config: unknown key 'poling'; did you mean 'pooling'?"),
        (["--config.model.dim=wide"], "invalid literal for int()"),
        (["--config.shard_embeddings=True"], "--config: unknown key 'shard_embeddings'; --help lists all keys"),
        (
            ["--config.model.name=hakg"],
            "config.model.name: hakg has other keys than hkrm; choose a --config file for hakg",
        ),
        (["--config=configs/nowhere.py"], "--config=configs/nowhere.py: no such file"),
        (["--config.'nope=1"], "Could not parse"),
        (["--config.evaluation.ks=()"], "evaluation.ks: expected cut-offs of at least 1, found ()"),
        (["--config.seed=-1"], "seed: expected at least 0 and below 4.29497e+09, found -1"),
        (["--config.synthetic.coverage=nan"], "coverage: expected at least 0 and at most 1, found nan"),
        (["--config.data.path=\x1b[31m", "--config.data.format=kgat"], "?[31m: no such data folder"),
        (["--coordinator=localhost"], "--coordinator=localhost: expected HOST:PORT"),
        (["--config.data.format=ripplenet", "--config.data.path=nowhere"], "nowhere: no such data folder"),
        (["--config.training.monitor=auk"], "training.monitor: unknown metric 'auk'"),
        (["stray"], "unexpected argument 'stray'"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(call_here, tmp_path, arguments, message):
    workdir = tmp_path / "run"
    assert_one_line(*call_here("train.py", *arguments, f"--workdir={workdir}"), message)
    assert not workdir.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1", "the file defines no function get_config()"),
        ("1 +", ":1: SyntaxError: invalid syntax"),
        ("def get_config():\n    return 1 / 0", ":2: ZeroDivisionError: division by zero"),
        ("def get_config():\n    raise ValueError('no')", "ValueError: no"),
        ("import nowhere", ":1: ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit(0)", ":1: SystemExit: 0"),
        ("def get_config():\n    return None", "expected the keys of a configuration, found None"),
    ],
)
def test_a_broken_configuration_file_is_one_line(call_here, tmp_path, content, message):
    config = tmp_path / "mine.py"
    config.write_text(content)
    assert_one_line(*call_here("train.py", f"--config={config}", f"--workdir={tmp_path}/run"), message)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "content", ["", "nope", "null", "[]", "{}", '{"model": null}', '{"model": {"name": [1]}}', "\x1b"]
)
def test_a_broken_config_json_is_one_line(call_here, tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    assert_one_line(*call_here("evaluate.py", f"--workdir={tmp_path}"), "")
    assert_one_line(*call_here("train.py", f"--workdir={tmp_path}"), "config")


def test_an_empty_work_directory_is_not_the_current_one(call_here):
    for door in ("train.py", "evaluate.py"):
        assert_one_line(*call_here(door, "--workdir="), "name a work directory")


def test_ctrl_c_while_hkjax_is_imported_is_one_line(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", interrupted)
    with pytest.raises(SystemExit) as stopped:
        main.enter("train")
    assert (stopped.value.code, capsys.readouterr().err) == (130, "stopped by SIGINT\n")


def test_ctrl_c_while_an_object_is_deleted_is_one_line():
    code = """
import signal
from hkjax.cli import inspect, main

signal.signal(signal.SIGINT, signal.default_int_handler)  # Whoever runs the tests may ignore it.

class Deleted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

inspect.define_flags, inspect.main, inspect.NEEDS = lambda: None, lambda: str(Deleted()), ()
main.enter("inspect")
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "stopped by SIGINT\n")


def test_evaluating_what_was_never_trained_is_one_line(call_here, tmp_path):
    assert_one_line(*call_here("evaluate.py", f"--workdir={tmp_path}"), "config.json: no such file; train first")


def test_a_work_directory_must_be_named(call_here):
    assert_one_line(*call_here("train.py"), "name a work directory: --workdir=")


@pytest.mark.parametrize("door", ["train.py", "evaluate.py"])
def test_help_says_what_every_flag_means(door):
    result = call(door, "--help", *(["--config=configs/hakg_synthetic.py"] if door == "train.py" else []))
    assert result.returncode == 0
    assert "--workdir" in result.stdout
    keys = (
        "model[hakg].gate  (bool, default True)",
        "fuse both by g * c",
        "training.patience  (int at least 1, default 3)",
    )
    assert all((key in result.stdout) == (door == "train.py") for key in keys)


def test_every_key_of_the_configuration_has_a_meaning():
    missing = [setting.key for setting in settings(Experiment) if not setting.meaning]
    assert not missing
