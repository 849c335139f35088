"""A damaged checkpoint is known, and another one taken in its place, with a line that says so."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from hkjax.errors import InputError
from hkjax.training.saving.checkpoint import Checkpoints, DamagedError, seal
from hkjax.training.saving.recovery import restore_params, restore_state
from hkjax.training.saving.writer import CheckpointWriter
from hkjax.training.state import TrainState

PARAMS = {"user": jnp.arange(60, dtype=jnp.float32).reshape(20, 3), "bias": jnp.ones(3)}
VALUES = {10: 0.5, 20: 0.9, 30: 0.7, 40: 0.8, 50: 0.6}


def state_of(step):
    params = jax.tree.map(lambda x: x + step, PARAMS)
    moments = optax.adam(0.1).init(params)
    return TrainState(jnp.int32(step), params, moments, {"loss": jnp.float32(step)})


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr("hkjax.training.saving.recovery._SECONDS_TO_SETTLE", 0.0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    with CheckpointWriter(folder, "auc") as checkpoints:
        for step, value in VALUES.items():
            checkpoints.save(state_of(step), {"auc": value}, halvings=step // 20)
    return folder


@pytest.fixture
def directory(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "checkpoints")


def garble(folder):
    """As if one number had changed without orbax noticing: a record that is whole, with the sum of other numbers."""
    record = folder / "record/metadata"
    text = record.read_text()
    sum_of_user = text.split('"params/user"')[1].split('"sum": "')[1][:8]
    record.unlink()
    content = json.loads(text.replace(sum_of_user, f"{int(sum_of_user, 16) ^ 1:08x}"))
    record.write_text(json.dumps({"record": content["record"], "sha256": seal(content["record"])}))


DAMAGE = {
    "other numbers": garble,
    "no record": lambda folder: (folder / "record/metadata").unlink(),
    "an empty record": lambda folder: (folder / "record/metadata").write_text(""),
    "another best": lambda folder: (folder / "record/metadata").write_text(
        (folder / "record/metadata").read_text().replace('"best": 20', '"best": 40')
    ),
    "no record folder": lambda folder: shutil.rmtree(folder / "record"),
    "no arrays": lambda folder: [path.unlink() for path in folder.rglob("*") if path.parent.name == "d"],
    "no parameters": lambda folder: shutil.rmtree(folder / "params"),
    "nothing": lambda folder: [shutil.rmtree(path) for path in folder.iterdir() if path.is_dir()],
}


def test_the_two_latest_and_the_best_stay(directory):
    checkpoints = Checkpoints(directory, "auc")
    assert (checkpoints.steps, checkpoints.best, checkpoints.latest) == ([20, 40, 50], 20, 50)


def test_of_equals_the_first_is_the_best(tmp_path):
    with CheckpointWriter(tmp_path, "auc") as checkpoints:
        for step in (1, 2, 3, 4):
            checkpoints.save(state_of(step), {"auc": 0.5})
    assert Checkpoints(tmp_path, "auc").best == 1
    assert Checkpoints(tmp_path, "auc").steps == [1, 3, 4]


@pytest.mark.parametrize("kind", DAMAGE)
def test_training_goes_on_from_the_last_that_is_whole(kind, directory, capsys):
    DAMAGE[kind](directory / "50")
    with CheckpointWriter(directory, "auc") as checkpoints:
        state, halvings = restore_state(checkpoints, state_of(0))
        assert checkpoints.best_so_far == 20
        assert (int(state.step), halvings) == (40, 2)
        np.testing.assert_array_equal(state.params["user"], PARAMS["user"] + 40)
        checkpoints.save(state_of(50), {"auc": 0.95})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{directory}/50: damaged (")
    assert line.endswith(f"; moved to {directory.parent}/damaged/50")
    checkpoints = Checkpoints(directory, "auc")
    assert (checkpoints.steps, checkpoints.best) == ([40, 50], 50)


@pytest.mark.parametrize("kind", DAMAGE)
def test_in_place_of_a_damaged_best_stands_the_latest(kind, directory, capsys):
    DAMAGE[kind](directory / "20")
    restored = restore_params(Checkpoints(directory, "auc"), PARAMS, best=True)
    assert restored.step == 50
    assert restored.notice.startswith(f"{directory}/20: ")
    assert restored.notice.endswith("; this is of step 50, not of the best")
    assert capsys.readouterr().err == f"{restored.notice}\n"
    np.testing.assert_array_equal(restored.params["user"], PARAMS["user"] + 50)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_latest_hides_no_best(kind, directory, capsys):
    DAMAGE[kind](directory / "50")
    assert restore_params(Checkpoints(directory, "auc"), PARAMS, best=True).step == 20
    assert capsys.readouterr().err == ""


def test_a_best_that_is_missing_is_said_to_be(directory, capsys):
    shutil.rmtree(directory / "20")
    restored = restore_params(Checkpoints(directory, "auc"), PARAMS, best=True)
    assert restored.notice == f"{directory}/20: missing; this is of step 50, not of the best"


def test_where_all_are_damaged_nothing_is_guessed(directory):
    for step in (20, 40, 50):
        DAMAGE["other numbers"](directory / str(step))
    with pytest.raises(InputError, match=r"params/user differ from those saved\); no other checkpoint is left"):
        restore_params(Checkpoints(directory, "auc"), PARAMS, best=True)
    with CheckpointWriter(directory, "auc") as checkpoints, pytest.raises(InputError, match="choose a new --workdir"):
        restore_state(checkpoints, state_of(0))
    assert Checkpoints(directory, "auc").steps == [20, 40, 50]
    assert not (directory.parent / "damaged").exists()


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_best_is_remembered_until_there_is_a_better_one(kind, directory):
    DAMAGE[kind](directory / "20")
    with CheckpointWriter(directory, "auc") as checkpoints:
        restore_state(checkpoints, state_of(0))
        checkpoints.save(state_of(60), {"auc": 0.89})
        checkpoints.wait()
        assert (checkpoints.steps, checkpoints.best) == ([20, 50, 60], 20)
        assert restore_params(checkpoints, PARAMS, best=True).step == 60
        checkpoints.save(state_of(70), {"auc": 0.91})
        checkpoints.wait()
        assert restore_params(checkpoints, PARAMS, best=True)[1:] == (70, "")


@pytest.mark.parametrize(
    "error", [OSError(24, "Too many open files"), OSError(5, "I/O error"), PermissionError(13, "no")]
)
def test_what_may_pass_is_no_damage(error, directory, monkeypatch):
    def fails(*_, **__):
        raise error

    with CheckpointWriter(directory, "auc") as checkpoints:
        monkeypatch.setattr("orbax.checkpoint.Checkpointer.restore", fails)
        with pytest.raises(InputError, match="50: can't be read") as found:
            restore_state(checkpoints, state_of(0))
    assert not isinstance(found.value, DamagedError)
    assert Checkpoints(directory, "auc").steps == [20, 40, 50]


def test_a_reader_ends_though_the_list_always_changes(directory, monkeypatch):
    DAMAGE["other numbers"](directory / "20")
    steps, added = Checkpoints.steps.fget, iter(range(100, 200))

    def changing(self):
        shutil.copytree(directory / "50", directory / str(next(added)))
        return steps(self)

    monkeypatch.setattr(Checkpoints, "steps", property(changing))
    assert restore_params(Checkpoints(directory, "auc"), PARAMS, best=True).notice.endswith("not of the best")


def test_another_model_is_no_damage(directory):
    other = {**PARAMS, "user": jnp.zeros((20, 4))}
    with pytest.raises(InputError, match=r"of another model: params/user is float32 \[20, 3\] there") as found:
        restore_params(Checkpoints(directory, "auc"), other, best=True)
    assert not isinstance(found.value, DamagedError)


def test_checkpoints_without_a_record_are_read(directory):
    """Those of hkjax 0.3 and before: metrics beside, no sums."""
    for step, value in ((20, 0.9), (40, 0.8), (50, 0.6)):
        shutil.rmtree(directory / f"{step}/record")
        metadata = directory / f"{step}/_CHECKPOINT_METADATA"
        metadata.write_text(metadata.read_text().replace('"record"', '"metrics"'))
        (directory / f"{step}/metrics").mkdir()
        (directory / f"{step}/metrics/metrics").write_text(f'{{"auc": {value}}}')
    checkpoints = Checkpoints(directory, "auc")
    assert checkpoints.best == 20
    assert restore_params(checkpoints, PARAMS, best=True)[1:] == (20, "")


def test_readers_look_again_while_a_run_removes_what_they_read(directory, monkeypatch, capsys):
    checkpoints = Checkpoints(directory, "auc")
    restore, taken = Checkpoints.restore_params, []

    def removed_meanwhile(self, step, like):
        taken.append(step)
        if len(taken) == 1:
            shutil.rmtree(directory / "20")
            shutil.copytree(directory / "50", directory / "60")
        return restore(self, step, like)

    monkeypatch.setattr(Checkpoints, "restore_params", removed_meanwhile)
    assert restore_params(checkpoints, PARAMS, best=False).step in (50, 60)
    assert capsys.readouterr().err == ""
