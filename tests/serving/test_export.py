import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.serving.export import export_scores


def test_the_exported_function_ranks_as_the_model_does_without_hkjax(tiny_data, tmp_path):
    recommender = lightgcn(LightGCNConfig(dim=4, layers=1), tiny_data, batch_size=32)
    representation = recommender.encode(recommender.init(jax.random.key(0)), recommender.inputs)
    export_scores(recommender, representation, tiny_data, tmp_path)
    found = subprocess.run(
        [sys.executable, "-I", "example.py"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert "hkjax" not in (tmp_path / "example.py").read_text()
    scores = np.asarray(recommender.score_all_items(representation, jnp.arange(3)))
    for user, line in enumerate(found):
        best = [tiny_data.names.items[i] for i in np.argsort(-scores[user])[:5]]
        assert line == f"{tiny_data.names.users[user]} {best}"
    assert len(found) == 3
