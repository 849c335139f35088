"""What each part of a trained LINK brings on the test part, and what is left with the graph's tails shuffled.

    python benchmarks/parts.py runs/link-book-crossing runs/link-movielens-1m

Each row leaves one part out, all else as trained. Differences are paired over users, with 95 % bootstrap intervals.
"""

import sys
from pathlib import Path

import jax
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.evaluation.evaluate import EvaluationConfig, evaluate
from hkjax.evaluation.verdict import paired_difference
from hkjax.models.base import Params
from hkjax.models.link.config import LINKConfig
from hkjax.models.link.model import link
from hkjax.runs import load_workdir
from hkjax.tuning.auto import shuffle_tails
from hkjax.tuning.settings import with_settings

_SHUFFLES = 3
_METRICS = ("recall@20", "ndcg@20")
_CONFIG = EvaluationConfig(ks=(20,), bootstrap=1000)


def per_user(config: LINKConfig, data: Dataset, params: Params, batch_size: int) -> dict[str, np.ndarray]:
    """Measures LINK with the closed parts of a configuration and the learned part of trained parameters."""
    model = link(config, data, batch_size)
    start = model.init(jax.random.key(0))
    if config.gate:
        start = {**start, "learned": params["learned"]}
    assert model.solve is not None
    results, _ = evaluate(model, model.solve(start, model.inputs), data, _CONFIG, 0, ranks_only=True)
    return dict(results["per_user"])


def main(workdirs: list[str]) -> None:
    for workdir in workdirs:
        trained = load_workdir(Path(workdir))
        config, data = trained.experiment.model, trained.data
        assert isinstance(config, LINKConfig), f"{workdir}: no LINK"
        size = trained.experiment.training.batch_size
        whole = per_user(config, data, trained.params, size)
        print(f"\n{workdir}\n| | {' | '.join(_METRICS)} | it brings, {_METRICS[0]} | {_METRICS[1]} |")
        print("|---|---|---|---|---|")
        print(f"| LINK | {' | '.join(f'{whole[m].mean():.4f}' for m in _METRICS)} | | |")
        names = ["co_occurrence", "regression", "popularity", "gate"]
        parts = {name: {name: 0.0} for name in names if getattr(config, name)}
        parts |= {name: {f"content.{name}": 0.0} for name in config.content}
        if len(config.content) > 1:
            parts["all content"] = {f"content.{name}": 0.0 for name in config.content}
        rows = {
            f"without {name}": per_user(with_settings(config, changes), data, trained.params, size)  # type: ignore[arg-type]
            for name, changes in parts.items()
        }
        for seed in range(_SHUFFLES) if config.content else ():
            rows[f"tails shuffled, seed {seed}"] = per_user(config, shuffle_tails(data, seed), trained.params, size)
        for name, found in rows.items():
            values = " | ".join(f"{found[m].mean():.4f}" for m in _METRICS)
            gains = (paired_difference(whole[m], found[m], _CONFIG.bootstrap, 0) for m in _METRICS)
            shown = " | ".join(f"{d.mean:+.4f} ({d.low:+.4f} to {d.high:+.4f})" for d in gains)
            print(f"| {name} | {values} | {shown} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
