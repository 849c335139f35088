"""An exported folder recommends what the model does, without hkjax."""

import re
import subprocess
import sys

import jax
import numpy as np
import pytest

from hkjax.errors import InputError
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.serving.export import export_scores
from hkjax.serving.recommend import recommend, recommend_like
from hkjax.serving.server import Server
from hkjax.serving.trained import load_model

BUILDERS = {
    "lightgcn": lambda data: lightgcn(LightGCNConfig(dim=4, layers=1), data, batch_size=32),
    "hkrm": lambda data: hkrm(HKRMConfig(dim=4), data, batch_size=32),
    "hakg": lambda data: hakg(HAKGConfig(dim=4, layers=1), data, batch_size=32),
}


@pytest.fixture(scope="module", params=BUILDERS)
def exported(request, tiny_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    recommender = BUILDERS[request.param](tiny_data)
    model = load_model(tiny_data, recommender, jax.jit(recommender.init)(jax.random.key(0)))
    export_scores(recommender, model.params, model.representation, tiny_data, folder)
    return model, folder


def test_a_server_recommends_what_the_model_does(exported):
    model, folder = exported
    server = Server(folder)
    users = model.data.names.users[:3]
    expected = recommend(model, users, top_k=5, reasons=False).to_pylist()
    found = [(user, *pair) for user, best in zip(users, server.recommend(users, 5), strict=True) for pair in best]
    assert [(user, item) for user, item, _ in found] == [(row["user"], row["item"]) for row in expected]
    np.testing.assert_allclose([x[2] for x in found], [row["score"] for row in expected], rtol=1e-5, atol=1e-6)
    liked = model.data.names.items[2:5]
    expected = recommend_like(model, liked, top_k=5, reasons=False).to_pylist()
    found = server.recommend_like(liked, 5)
    np.testing.assert_allclose([x[1] for x in found], [row["score"] for row in expected], rtol=1e-4, atol=1e-5)


def test_a_server_leaves_out_what_was_seen_and_refuses_unknown_ids(exported):
    model, folder = exported
    server, user = Server(folder), model.data.names.users[0]
    met = model.data.seen()
    seen = {model.data.names.items[i] for u, i in zip(met.users, met.items, strict=True) if u == 0}
    every = server.recommend([user], top_k=10**6)[0]
    assert {name for name, _ in every} == {*model.data.names.items} - seen
    assert len(server.recommend([user], 10**6, include_seen=True)[0]) == model.data.n_items
    with pytest.raises(KeyError, match="unknown user 'nobody'"):
        server.recommend(["nobody"])
    with pytest.raises(KeyError, match="unknown item 'nothing'"):
        server.recommend_like(["nothing"])


def test_there_is_no_answer_for_a_user_that_is_none(exported):
    model, folder = exported
    function = jax.export.deserialize(bytearray((folder / "score_all_items.stablehlo").read_bytes()))
    with np.load(folder / "score_all_items.npz") as arrays:
        leaves = [jax.numpy.asarray(arrays[f"arr_{k}"]) for k in range(len(arrays.files))]
    scores = np.asarray(function.call(leaves, np.array([-1, 0, model.data.n_users], np.int32)))
    assert np.isnan(scores[[0, 2]]).all()
    assert np.isfinite(scores[1]).all()


def test_a_server_stands_alone(exported):
    model, folder = exported
    modules = re.findall(r"^(?:import|from) (\w+)", (folder / "server.py").read_text(), re.MULTILINE)
    assert {*modules} <= {"json", "sys", "pathlib", "jax", "numpy"}
    if model.recommender.fold_in.score_attributes is None:
        command = [sys.executable, "-I", "server.py", model.data.names.users[1]]
        output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
        assert output.startswith(f"{model.data.names.users[1]}\t1\t")
        result = subprocess.run([*command[:3], "nobody"], cwd=folder, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (1, "error: unknown user 'nobody'\n")


def test_a_folder_of_something_else_is_left_alone(exported, tmp_path):
    model, _ = exported
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else than an export"):
        export_scores(model.recommender, model.params, model.representation, model.data, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
