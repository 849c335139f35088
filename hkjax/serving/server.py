"""Recommends from an exported folder: needs only jax, flatbuffers and numpy.

python server.py USER [USER ...]            the best unseen items of users
python server.py --like ITEM [ITEM ...]     the best items for someone who liked these
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np


class Server:
    """An exported model.

    Batches are padded to powers of 2, so that only a few sizes are compiled.

    Args:
        folder: written by `hkjax export`.
    """

    def __init__(self, folder: Path):
        names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
        self._users = {name: k for k, name in enumerate(names["users"])}
        self._items = {name: k for k, name in enumerate(names["items"])}
        self._names, self._titles = names["items"], names["titles"]
        self._functions = {}
        for name in ("score_all_items", "score_histories"):
            if (folder / f"{name}.stablehlo").exists():
                function = jax.export.deserialize(bytearray((folder / f"{name}.stablehlo").read_bytes()))
                arrays = np.load(folder / f"{name}.npz")
                leaves = [jax.numpy.asarray(arrays[f"arr_{k}"]) for k in range(len(arrays.files))]
                self._functions[name] = jax.jit(function.call), leaves
        with np.load(folder / "seen.npz") as seen:
            self._seen, self._start = seen["items"], seen["start"]

    def recommend(self, users: list[str], top_k: int = 10, include_seen: bool = False) -> list[list[tuple[str, float]]]:
        """Returns the best items of each user, with scores; without seen items unless `include_seen`.

        Raises:
            KeyError: a user is unknown.
        """
        ids = _numbers(self._users, users, "user")
        function, leaves = self._functions["score_all_items"]
        scores = np.array(function(leaves, _pad(ids, 0)))[: len(ids)]
        for k, user in enumerate(ids if not include_seen else []):
            scores[k, self._seen[self._start[user] : self._start[user + 1]]] = -np.inf
        return self._best(scores, top_k)

    def recommend_like(self, items: list[str], top_k: int = 10) -> list[tuple[str, float]]:
        """Returns the best items for a new person who liked the given ones.

        Raises:
            KeyError: an item is unknown, or the model can't score new users.
        """
        if "score_histories" not in self._functions:
            raise KeyError("this model can't recommend to users that it was not trained on")
        ids = _numbers(self._items, items, "item")
        function, leaves = self._functions["score_histories"]
        weights = _pad(np.ones(len(ids), np.float32), 0)
        scores = np.array(function(leaves, _pad(ids, 0)[None], weights[None]))
        scores[0, ids] = -np.inf
        return self._best(scores, top_k)[0]

    def title(self, item: str) -> str:
        """Returns an item's readable name."""
        return self._titles[self._items[item]]

    def _best(self, scores: np.ndarray, top_k: int) -> list[list[tuple[str, float]]]:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        return [
            [(self._names[item], float(row[item])) for item in best if np.isfinite(row[item])]
            for row, best in zip(scores, order, strict=True)
        ]


def _numbers(known: dict[str, int], names: list[str], kind: str) -> np.ndarray:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise KeyError(f"unknown {kind} {unknown[0]!r}")
    return np.array([known[name] for name in names], np.int32)


def _pad(x: np.ndarray, fill: float) -> np.ndarray:
    return np.pad(x, (0, (1 << max(0, len(x) - 1).bit_length()) - len(x)), constant_values=fill)


def main(arguments: list[str]) -> None:
    """Prints recommendations, one item per line."""
    like = arguments[:1] == ["--like"]
    ids = arguments[like:]
    if not ids:
        sys.exit(__doc__)
    server = Server(Path(__file__).parent)
    try:
        lists = {"new": server.recommend_like(ids)} if like else dict(zip(ids, server.recommend(ids), strict=True))
    except KeyError as error:
        sys.exit(f"error: {error.args[0]}")
    for user, best in lists.items():
        for rank, (item, score) in enumerate(best, start=1):
            print(f"{user}\t{rank}\t{item}\t{server.title(item)}\t{score:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
