"""Trains and evaluates variants of a configuration over several seeds, and prints mean and spread.

    python benchmarks/seeds.py --config=configs/hkrm_book_crossing.py --seeds=5 --workdir=runs/ablation \\
      --variant="whole" --variant="woKL model.divergence_weight=0.0" --variant="Item model.levels=item"

A seed decides split, initialisation and batches. Each run keeps its work directory, so that an
interrupted study resumes.
"""

import ast
from pathlib import Path

import numpy as np
from absl import flags
from ml_collections import config_flags

from hkjax.cli.run import run
from hkjax.experiment import read_experiment
from hkjax.runs import evaluate_workdir, train_experiment


def define_flags() -> None:
    config_flags.DEFINE_config_file("config", None, "The experiment.")
    flags.DEFINE_string("workdir", None, "Where the runs' work directories go.")
    flags.DEFINE_integer("seeds", 5, "How many seeds, from 0 on.")
    flags.DEFINE_multi_string("variant", ["default"], "A name, then overrides: 'NAME key=value ...'.")
    flags.DEFINE_list("metrics", ["auc", "acc"], "Metrics to print.")


def main() -> None:
    metrics = flags.FLAGS.metrics
    rows = []
    for variant in flags.FLAGS.variant:
        name, *overrides = variant.split()
        reports = [_run(name, overrides, seed) for seed in range(flags.FLAGS.seeds)]
        rows.append((name, [r["test"] for r in reports]))
    rows += [(b, [r["baselines"][b] for r in reports]) for b in reports[0]["baselines"]]
    print(f"\n| variant | {' | '.join(metrics)} |")
    print("|---" * (len(metrics) + 1) + "|")
    for name, results in rows:
        cells = []
        for metric in metrics:
            values = np.array([result[metric] for result in results])
            cells.append(f"{values.mean():.4f} ± {values.std(ddof=1) if len(values) > 1 else 0:.4f}")
        print(f"| {name} | {' | '.join(cells)} |")


def _run(name: str, overrides: list[str], seed: int) -> dict:
    config = flags.FLAGS.config.copy_and_resolve_references()
    config.seed = seed
    for override in overrides:
        key, _, value = override.partition("=")
        config.update_from_flattened_dict({key: _literal(value)})
    workdir = Path(flags.FLAGS.workdir) / name / str(seed)
    print(f"-- {name}, seed {seed}", flush=True)
    train_experiment(read_experiment(config), workdir)
    return evaluate_workdir(workdir)


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    run(define_flags, main, __doc__)
