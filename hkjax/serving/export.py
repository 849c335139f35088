"""Serving without hkjax: scoring functions as StableHLO, their arrays, the id maps, and a module that uses them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from hkjax.data.dataset import Dataset
from hkjax.errors import InputError
from hkjax.files import clear_errors
from hkjax.models.base import Params, Recommender, Representation
from hkjax.ops.segment import make_ragged

_SERVER = Path(__file__).with_name("server.py")
_FILES = {f"score_{what}.{suffix}" for what in ("all_items", "histories") for suffix in ("stablehlo", "npz")}
_FILES |= {"names.json", "seen.npz", "server.py", "__pycache__"}


def export_scores(
    recommender: Recommender, params: Params, representation: Representation, data: Dataset, folder: Path
) -> None:
    """Writes the files that a server needs to rank all items for any users, on CPUs, GPUs and TPUs.

    Args:
        recommender, params: the model.
        representation: the result of its `encode`.
        data: the data set, for the names of ids and the items seen.
        folder: receives

            - score_all_items.stablehlo, by jax.export a function of (arrays, users int32 [B]) to scores [B, items]
              for any B, nan for unknown users; and score_all_items.npz, those arrays;
            - score_histories.stablehlo and .npz, if the model can fold users in: (arrays, items int32 [B, m],
              weights float32 [B, m]) to scores [B, items], for users with only a history;
            - names.json, the users' and the items' ids in the order of their indices, and the items' titles;
            - seen.npz, the items that each user interacted with: those of user u are items[start[u] : start[u + 1]];
            - server.py, which uses all of them, and needs neither hkjax nor flax.

    Raises:
        InputError: the folder holds other files.
    """
    if folder.exists() and {path.name for path in folder.iterdir()} - _FILES:
        raise InputError(f"{folder}: holds something else than an export; choose another folder")
    with clear_errors(folder):
        _write(recommender, params, representation, data, folder)


def _write(
    recommender: Recommender, params: Params, representation: Representation, data: Dataset, folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (batch,) = export.symbolic_shape("batch")
    users = jax.ShapeDtypeStruct((batch,), jnp.int32)

    def score_all_items(representation: Representation, users: jax.Array) -> jax.Array:
        known = (users >= 0) & (users < data.n_users)
        return jnp.where(known[:, None], recommender.score_all_items(representation, users), jnp.nan)

    _export("score_all_items", score_all_items, representation, (users,), folder)
    fold_in = recommender.fold_in
    if fold_in is not None:
        batch, room = export.symbolic_shape("batch, room")
        shapes = tuple(jax.ShapeDtypeStruct((batch, room), kind) for kind in (jnp.int32, jnp.float32))

        def score_histories(arrays: Any, items: jax.Array, weights: jax.Array) -> jax.Array:
            prepared, representation = arrays
            folded = fold_in.encode_users(prepared, representation, items, weights, None)
            return recommender.score_all_items(folded, jnp.arange(items.shape[0]))

        prepared = jax.jit(fold_in.prepare)(params, recommender.inputs)
        _export("score_histories", score_histories, (prepared, representation), shapes, folder)
    names = {"users": data.names.users, "items": data.names.items, "titles": data.names.entities[: data.n_items]}
    (folder / "names.json").write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    seen = data.seen()
    lists = make_ragged(seen.users, seen.items, data.n_users)
    np.savez(folder / "seen.npz", items=lists.values, start=np.append(lists.start, len(lists.values)))
    shutil.copyfile(_SERVER, folder / "server.py")


def _export(name: str, function: Callable[..., jax.Array], arrays: Any, shapes: tuple[Any, ...], folder: Path) -> None:
    """Writes a function of (leaves of the arrays, ...), and the leaves."""
    leaves, structure = jax.tree.flatten(arrays)

    def of_leaves(leaves: list[jax.Array], *args: jax.Array) -> jax.Array:
        return function(jax.tree.unflatten(structure, leaves), *args)

    of_arrays = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
    exported = export.export(jax.jit(of_leaves), platforms=("cpu", "cuda", "tpu"))(of_arrays, *shapes)
    (folder / f"{name}.stablehlo").write_bytes(exported.serialize())
    np.savez(folder / f"{name}.npz", *map(np.asarray, leaves))
