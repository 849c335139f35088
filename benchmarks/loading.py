"""Measures the time and memory to read, number, split and index large tables with text ids.

    python benchmarks/loading.py --folder=loading --interactions=10000000 --triples=5000000

Generates the tables once, as Parquet and as CSV, in a process of its own. Then reads each format in a fresh process,
for a peak memory of its own. `--scale=4` takes four times the sizes.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path


def generate(folder: Path, n_interactions: int, n_triples: int) -> None:
    """Writes tables of users, items and entities with text ids, popular ones more often than others."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    n_users, n_items, n_entities = n_interactions // 50, n_interactions // 100, n_triples // 5

    def names(prefix: str, numbers: np.ndarray, n: int) -> pa.Array:
        distinct = pa.array([f"{prefix}{k:08x}" for k in random.permutation(n)])
        return distinct.take(pa.array(numbers))

    def popular(n: int, size: int) -> np.ndarray:
        return np.minimum((n * random.random(size) ** 2).astype(np.int64), n - 1)

    items = names("item-", popular(n_items, n_interactions), n_items)
    met = {"user_id": names("user-", popular(n_users, n_interactions), n_users), "item_id": items}
    heads = names("item-", popular(n_items, n_triples), n_items)
    tails = names("entity-", popular(n_entities, n_triples), n_entities)
    relations = names("relation-", random.integers(20, size=n_triples), 20)
    graph = {"head": heads, "relation": relations, "tail": tails}
    for name, columns in (("met", met), ("graph", graph)):
        table = pa.table(columns)
        pa.parquet.write_table(table, folder / f"{name}.parquet")
        pa.csv.write_csv(table, folder / f"{name}.csv", pa.csv.WriteOptions(quoting_style="none"))


def load(folder: Path, suffix: str) -> dict[str, float]:
    """Reads, numbers, splits; then sorts interactions and graph both ways, as in models."""
    import resource

    import numpy as np

    from hkjax.data.config import DataConfig, TablesConfig
    from hkjax.data.read import read_dataset
    from hkjax.ops.sampling import make_exclusions
    from hkjax.ops.sparse import make_edges

    start = time.perf_counter()
    tables = TablesConfig(str(folder / f"met.{suffix}"), triples=(str(folder / f"graph.{suffix}"),))
    data = read_dataset(DataConfig("tables", tables=tables, split="per_user"), seed=0)
    read = time.perf_counter()
    make_edges(data.train.users, data.train.items)
    make_exclusions(data.train.users, data.train.items, data.n_users, data.n_items)
    head, relation, tail = data.triples.T
    ends = np.concatenate([head, tail]), np.concatenate([tail, head])
    make_edges(*ends, np.concatenate([relation, relation + data.n_relations]))
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"read_s": read - start, "index_s": end - read, "total_s": end - start, "peak_gb": peak}


def main() -> None:
    """Prints one row per format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--triples", type=int, default=5_000_000)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--step", choices=("generate", "parquet", "csv"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder / f"{options.interactions * options.scale}"
    if options.step == "generate":
        generate(folder, options.interactions * options.scale, options.triples * options.scale)
    elif options.step:
        print(json.dumps(load(folder, options.step)))
    else:
        if not folder.exists():
            subprocess.run([sys.executable, *sys.argv, "--step=generate"], check=True)
        print("| format | read, number, split | index | total | peak |\n|---|---|---|---|---|")
        for step in ("parquet", "csv"):
            output = subprocess.run([sys.executable, *sys.argv, f"--step={step}"], check=True, capture_output=True)
            r = json.loads(output.stdout)
            seconds = " | ".join(f"{r[name]:.1f} s" for name in ("read_s", "index_s", "total_s"))
            print(f"| {step} | {seconds} | {r['peak_gb']:.2f} GB |")


if __name__ == "__main__":
    main()
