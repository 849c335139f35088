"""Seconds and memory that the closed forms take on a data set, beside those of `implicit` where it is installed.

    python benchmarks/closed_forms.py --config=configs/link_alibaba_ifashion.py

Each model is built and solved twice; the first time compiles. Peak memory is that of the process so far.
"""

import importlib.util
import resource
import time
from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags
from scipy import sparse

from hkjax.cli.run import run
from hkjax.data.dataset import Dataset
from hkjax.experiment import read_data, read_experiment
from hkjax.models.linear.config import EASEConfig, IALSConfig, ItemKNNConfig
from hkjax.models.registry import MODELS, ModelConfig

_MODELS: tuple[ModelConfig, ...] = (ItemKNNConfig(), EASEConfig(candidates=100), IALSConfig())


def define_flags() -> None:
    config_flags.DEFINE_config_file("config", None, "The experiment, for its data.")


def main() -> None:
    data = read_data(read_experiment(flags.FLAGS.config))
    print("| model | first, s | again, s | peak, GB |\n|---|---|---|---|")
    for config in _MODELS:
        _print(MODELS[type(config)].title, partial(_solve, config, data))
    if importlib.util.find_spec("implicit") is not None:
        for name, fit in _of_implicit(data).items():
            _print(f"implicit: {name}", fit)


def _print(title: str, fit: Callable[[], None]) -> None:
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        fit()
        seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"| {title} | {seconds[0]:.1f} | {seconds[1]:.1f} | {peak:.2f} |", flush=True)


def _solve(config: ModelConfig, data: Dataset) -> None:
    model = MODELS[type(config)].build(config, data, 0)
    assert model.solve is not None
    jax.block_until_ready(model.solve(model.init(jax.random.key(0)), model.inputs))


def _of_implicit(data: Dataset) -> dict[str, Callable[[], None]]:
    from implicit.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender

    positives = data.train.positives()
    ones = np.ones(len(positives.users), np.float32)
    x = sparse.csr_matrix((ones, (positives.users, positives.items)), (data.n_users, data.n_items))
    als = AlternatingLeastSquares(factors=64, alpha=10.0, regularization=1.0, iterations=15)
    return {
        "CosineRecommender": lambda: CosineRecommender(K=200).fit(x, show_progress=False),
        "AlternatingLeastSquares": lambda: als.fit(x, show_progress=False),
    }


if __name__ == "__main__":
    run(define_flags, main, __doc__)
