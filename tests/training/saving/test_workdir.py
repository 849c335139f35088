"""A work directory belongs to one configuration and to the data that it was trained on."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.dataset import fingerprint
from hkjax.data.prepared import load_dataset
from hkjax.errors import InputError
from hkjax.evaluation.evaluate import EvaluationConfig
from hkjax.experiment import Experiment
from hkjax.models.lightgcn import LightGCNConfig
from hkjax.runs import evaluate_workdir, load_workdir, train_experiment
from hkjax.training.loop import TrainingConfig
from hkjax.training.saving.lock import lock_workdir

RANDOM = np.random.default_rng(0)
ROWS = np.unique(RANDOM.integers(12, size=(120, 2)), axis=0)
TRIPLES = np.column_stack([np.arange(12), RANDOM.integers(2, size=12), RANDOM.integers(12, 15, size=12)])


def write(folder, rows=ROWS, triples=TRIPLES, names=None):
    folder.mkdir(exist_ok=True)
    labels = (rows.sum(axis=1, keepdims=True) % 2).astype(int)
    np.savetxt(folder / "ratings_final.txt", np.hstack([rows, labels]), fmt="%d")
    np.savetxt(folder / "kg_final.txt", triples, fmt="%d")
    if names:
        lines = [f"{name} {i}" for i, name in enumerate(names)]
        (folder / "item_list.txt").write_text("\n".join(["org_id remap_id", *lines]))


CHANGES = {
    "shuffled rows": {"rows": ROWS[::-1]},
    "swapped relations": {"triples": np.column_stack([TRIPLES[:, 0], 1 - TRIPLES[:, 1], TRIPLES[:, 2]])},
    "other names": {"names": [f"item {i}" for i in range(12)]},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    write(folder / "data")
    experiment = Experiment(
        data=DataConfig("ripplenet", str(folder / "data"), ratios=(6, 2, 2)),
        model=LightGCNConfig(dim=4, layers=1),
        training=TrainingConfig(batch_size=16, epochs=1, monitor="recall@20"),
        evaluation=EvaluationConfig(tuning=0.0),
        mesh=(1, 1),
    )
    train_experiment(experiment, folder / "run")
    return experiment, folder


@pytest.mark.parametrize("change", CHANGES)
def test_training_refuses_other_data_and_evaluation_keeps_to_those_of_training(trained, change, capsys):
    experiment, folder = trained
    before = load_workdir(folder / "run")
    assert "changed since training" not in capsys.readouterr().err
    write(folder / "data", **CHANGES[change])
    assert fingerprint(load_workdir(folder / "run").data) == fingerprint(before.data)
    assert "changed since training; this is of the data as trained on" in capsys.readouterr().err
    (folder / "run/data").rename(folder / "elsewhere")
    with pytest.raises(InputError, match="was trained on other data"):
        load_workdir(folder / "run")
    (folder / "elsewhere").rename(folder / "run/data")
    with pytest.raises(InputError, match="was trained on other data"):
        train_experiment(experiment, folder / "run")
    for file in (folder / "data").iterdir():
        file.unlink()
    write(folder / "data")


def test_evaluating_leaves_a_checkpoint_alone_that_is_being_written(trained):
    _, folder = trained
    unfinished = folder / "run/checkpoints/99.orbax-checkpoint-tmp"
    (unfinished / "params").mkdir(parents=True)
    evaluate_workdir(folder / "run")
    assert (unfinished / "params").is_dir()
    unfinished.joinpath("params").rmdir()
    unfinished.rmdir()


def test_a_run_that_has_saved_nothing_yet_is_named(trained, tmp_path):
    _, folder = trained
    for name in ("config.json", "data.sha256"):
        (tmp_path / name).write_bytes((folder / "run" / name).read_bytes())
    with pytest.raises(InputError, match="no finished checkpoint yet; train first"):
        evaluate_workdir(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "data.sha256"]


def test_data_are_read_once(trained, monkeypatch):
    experiment, folder = trained
    monkeypatch.setattr("hkjax.experiment.read_dataset", None)
    records = train_experiment(experiment, folder / "run")
    assert len(records) == 1
    read = load_dataset(folder / "run/data")
    assert fingerprint(read) == (folder / "run/data.sha256").read_text().strip()


def test_a_run_whose_records_are_lost_is_evaluated_all_the_same(trained):
    _, folder = trained
    records = folder / "run/metrics.jsonl"
    text = records.read_text()
    records.unlink()
    assert "recall@20" in evaluate_workdir(folder / "run")["test"]
    assert "training.png" not in (folder / "run/report.md").read_text()
    records.write_text(text)


def copy_of(trained, tmp_path):
    experiment, folder = trained
    return experiment, shutil.copytree(folder / "run", tmp_path / "run")


@pytest.mark.parametrize("name", ["interactions.parquet", "triples.npy", "items.parquet", "data.json", "SHA256SUMS"])
def test_damaged_data_are_read_anew_from_their_sources(trained, tmp_path, capsys, name):
    experiment, workdir = copy_of(trained, tmp_path)
    before = fingerprint(load_workdir(workdir).data)
    path = workdir / "data" / name
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes(8))
    capsys.readouterr()
    assert fingerprint(load_workdir(workdir).data) == before
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{workdir}/data: the data kept here are damaged (")
    assert line.endswith("; read again from their sources")
    train_experiment(experiment, workdir)
    assert (workdir / "data" / name).read_bytes() == content or name in ("data.json", "SHA256SUMS")
    capsys.readouterr()
    load_workdir(workdir)
    assert capsys.readouterr().err == ""


def test_damaged_data_whose_sources_are_gone_are_no_data(trained, tmp_path):
    _, folder = trained
    _, workdir = copy_of(trained, tmp_path)
    (workdir / "data/triples.npy").write_bytes(b"")
    (folder / "data").rename(folder / "gone")
    with pytest.raises(InputError, match=r"damaged .*; and from their sources: .*no such data folder"):
        load_workdir(workdir)
    (folder / "gone").rename(folder / "data")


def test_a_configuration_that_was_changed_is_not_believed(trained, tmp_path):
    experiment, workdir = copy_of(trained, tmp_path)
    path = workdir / "config.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    for use in (load_workdir, lambda folder: train_experiment(experiment, folder)):
        with pytest.raises(InputError, match=r"config.json: not as it was written; put it back, or train in another"):
            use(workdir)


def test_the_report_says_where_the_best_is_missing(trained, tmp_path):
    _, workdir = copy_of(trained, tmp_path)
    steps = sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())
    shutil.copytree(workdir / f"checkpoints/{steps[-1]}", workdir / f"checkpoints/{steps[-1] + 1}")
    shutil.rmtree(workdir / f"checkpoints/{steps[-1]}")
    report = evaluate_workdir(workdir)
    (notice,) = (warning for warning in report["warnings"] if "missing" in warning)
    assert notice.endswith(f"missing; this is of step {steps[-1] + 1}, not of the best")
    assert notice in (workdir / "report.md").read_text()


def test_only_one_trains(trained, tmp_path):
    experiment, workdir = copy_of(trained, tmp_path)
    with lock_workdir(workdir), pytest.raises(InputError, match="trains here"):
        train_experiment(experiment, workdir)
    evaluate_workdir(workdir)


def test_a_run_without_its_configuration_is_not_taken_over(trained, tmp_path):
    experiment, workdir = copy_of(trained, tmp_path)
    (workdir / "config.json").unlink()
    with pytest.raises(InputError, match=r"config.json: missing, though SHA256SUMS is there; put it back"):
        train_experiment(dataclasses.replace(experiment, seed=7), workdir)


def test_sums_that_a_kill_left_out_are_written_by_the_next_start(trained, tmp_path):
    experiment, workdir = copy_of(trained, tmp_path)
    sums = (workdir / "SHA256SUMS").read_text()
    (workdir / "SHA256SUMS").unlink()
    train_experiment(experiment, workdir)
    assert (workdir / "SHA256SUMS").read_text() == sums


def test_a_run_whose_checkpoints_are_lost_does_not_begin_anew(trained, tmp_path):
    experiment, workdir = copy_of(trained, tmp_path)
    shutil.rmtree(workdir / "checkpoints")
    line = (workdir / "metrics.jsonl").read_text().splitlines()[0]
    record = {key: value for key, value in json.loads(line).items() if key != "crc32"}
    records = [json.dumps({**record, "epoch": k}) + "\n" for k in (1, 2, 3)]
    (workdir / "metrics.jsonl").write_text("".join(records))
    with pytest.raises(InputError, match="holds none, though 3 epochs were trained"):
        train_experiment(experiment, workdir)
