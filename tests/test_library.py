"""Training, loading and evaluating from Python objects: the same as by commands, and clear errors."""

import numpy as np
import pytest

import hkjax
from hkjax.library import fit, load

RANDOM = np.random.default_rng(0)
PAIRS = np.unique(RANDOM.integers((30, 20), size=(400, 2)), axis=0)
RATINGS = {"user": [f"u{u}" for u in PAIRS[:, 0]], "item": [f"i{i}" for i in PAIRS[:, 1]]}
FILMS = {"id": [f"i{i}" for i in range(20)], "title": [f"Film {i}" for i in range(20)], "genre": ["a", "b"] * 10}
FEW = {"training.epochs": 2, "model.dim": np.int64(4)}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit") / "run"
    fit(RATINGS, FILMS, model="lightgcn", workdir=folder, settings=FEW)
    return folder


def test_the_same_call_resumes_and_commands_find_the_work_directory(workdir, commands):
    before = load(workdir)
    again = fit(RATINGS, FILMS, model="lightgcn", workdir=workdir, settings=FEW)
    np.testing.assert_array_equal(again.representation["user"], before.representation["user"])
    table = hkjax.recommend(before, ["u3"], top_k=3)
    assert table["name"].to_pylist()[0].startswith("Film ")
    assert set(hkjax.evaluate(before)) >= {"recall@20", "ndcg@20"}
    result = commands.run(
        "recommend", f"--workdir={workdir}", "--users=u3", "--top_k=3", kind="library", folder=workdir
    )
    assert result.code == 0
    assert table["name"].to_pylist()[0] in result.out


def test_training_from_an_earlier_run_keeps_its_rows_in_train(workdir):
    earlier = load(workdir).data
    settings = {**FEW, "seed": 5, "training.initialize_from": str(workdir)}
    data = fit(RATINGS, FILMS, model="lightgcn", settings=settings).data
    known = {*zip(earlier.train.users, earlier.train.items, strict=True)}
    assert not known & {*zip(data.test.users, data.test.items, strict=True)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "hkmr"}, "unknown model 'hkmr'; did you mean"),
        ({"modle": "hkrm"}, "fit: unknown argument 'modle'; did you mean"),
        ({"settings": {"training.epoch": 3}}, "config.training.epoch: unknown key"),
        ({"settings": {"trainig.epochs": 3}}, "config.trainig.epochs: unknown key"),
        ({"model": "hkrm"}, "HKRM needs attribute fields"),
    ],
)
def test_a_wrong_call_is_one_clear_line(arguments, message):
    with pytest.raises(hkjax.InputError, match=message):
        fit(RATINGS, **arguments)
