"""Serving without hkjax: the scoring function as StableHLO, with its arrays and its id maps."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from hkjax.data.dataset import Dataset
from hkjax.models.base import Recommender, Representation

_EXAMPLE = '''"""Recommends items: needs jax, flatbuffers and numpy alone."""

import json
import jax, numpy as np

names = json.load(open("names.json"))
arrays = np.load("representation.npz")
function = jax.export.deserialize(open("score_all_items.stablehlo", "rb").read())
leaves = [arrays[f"arr_{i}"] for i in range(len(arrays.files))]
users = np.array([0, 1, 2], np.int32)
scores = np.asarray(function.call(leaves, users))  # [users, items]
for user, row in zip(users, scores):
    print(names["users"][user], [names["items"][i] for i in np.argsort(-row)[:5]])
'''


def export_scores(recommender: Recommender, representation: Representation, data: Dataset, folder: Path) -> None:
    """Writes what a server needs to rank all items for any users, on CPUs, GPUs and TPUs.

    Args:
        recommender: the model.
        representation: what its `encode` returned.
        data: the data set, for the ids' names.
        folder: receives score_all_items.stablehlo, a function of (arrays, users int32 [B]) to scores
            [B, items] for any B, by jax.export; representation.npz, those arrays; names.json, the users'
            and the items' own names in the order of their ids; and example.py, which uses all three.
    """
    leaves, structure = jax.tree.flatten(representation)

    def score_all_items(leaves: list[jax.Array], users: jax.Array) -> jax.Array:
        return recommender.score_all_items(jax.tree.unflatten(structure, leaves), users)

    (batch,) = export.symbolic_shape("batch")
    users = jax.ShapeDtypeStruct((batch,), jnp.int32)
    shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
    exported = export.export(jax.jit(score_all_items), platforms=("cpu", "cuda", "tpu"))(shapes, users)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "score_all_items.stablehlo").write_bytes(exported.serialize())
    np.savez(folder / "representation.npz", *map(np.asarray, leaves))
    (folder / "names.json").write_text(json.dumps({"users": data.names.users, "items": data.names.items}))
    (folder / "example.py").write_text(_EXAMPLE)
