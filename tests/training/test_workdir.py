"""A work directory belongs to one configuration and to the data that it was trained on."""

import numpy as np
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.dataset import fingerprint
from hkjax.data.prepared import load_dataset
from hkjax.errors import InputError
from hkjax.experiment import Experiment, evaluate_workdir, load_workdir, train_experiment
from hkjax.models.lightgcn import LightGCNConfig
from hkjax.training.loop import TrainingConfig

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
