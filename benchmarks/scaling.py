"""Times a training step of HAKG against the number of edges and of devices, on generated graphs.

python benchmarks/scaling.py --edges=1250000
python benchmarks/scaling.py --edges=300000 --devices=1,2,4
python benchmarks/scaling.py --edges=1000000 --factors=1,10,100 --entities=200000 --sampling=neighbours --hubs=False

On a machine without accelerators the devices are forced host devices, which share its cores: their
table then shows the cost of dividing the work, not the gain.
"""

import os
import time

from absl import flags

from hkjax.cli.run import run

_REPEATS = 3


def define_flags() -> None:
    flags.DEFINE_integer("edges", 1_250_000, "Directed edges of the smallest graph.")
    flags.DEFINE_list("factors", ["1", "2", "4", "8"], "How many times as many the graphs have.")
    flags.DEFINE_integer("entities", 0, "Entities of each graph; 0 for a sixth of its edges.")
    flags.DEFINE_enum("sampling", "full", ["full", "neighbours"], "What a step propagates.")
    flags.DEFINE_bool("hubs", True, "Few entities and items have most of the edges; without, all have alike.")
    flags.DEFINE_list("devices", [], "Instead: one graph, on so many devices each.")
    flags.DEFINE_integer("dim", 64, "Embedding size.")


def main() -> None:
    # Before JAX looks for devices.
    counts = [int(n) for n in flags.FLAGS.devices]
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(max(counts, default=1)))
    edges = flags.FLAGS.edges
    if counts:
        print("| devices | s a step |\n|---|---|")
        for n in counts:
            print(f"| {n} | {_seconds(edges, n):.3f} |", flush=True)
        return
    print("| directed edges | s a step | microseconds an edge |\n|---|---|---|")
    for factor in map(int, flags.FLAGS.factors):
        seconds = _seconds(factor * edges, 1)
        print(f"| {factor * edges:,} | {seconds:.3f} | {1e6 * seconds / (factor * edges):.3f} |", flush=True)


def _seconds(n_edges: int, n_devices: int) -> float:
    """Returns the seconds of a step, the least of several."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from hkjax.data.assemble import build_dataset
    from hkjax.data.config import DataConfig
    from hkjax.models.hakg.config import HAKGConfig
    from hkjax.models.hakg.model import hakg
    from hkjax.training.state import OptimizerConfig, make_optimizer
    from hkjax.training.trainer import make_trainer

    random = np.random.default_rng(0)
    n_entities = flags.FLAGS.entities or n_edges // 6
    n_users, n_items = n_entities // 10, n_entities // 4

    def popular(n: int, size: int) -> np.ndarray:
        """Draws ids below n; with hubs, few of them often and most of them seldom."""
        return (n * random.random(size) ** (3 if flags.FLAGS.hubs else 1)).astype(int)

    relations, heads = random.integers(20, size=n_edges // 2), random.integers(n_entities, size=n_edges // 2)
    triples = np.column_stack([heads, relations, popular(n_entities, n_edges // 2)])
    n_rows = n_edges // 12
    users, labels = random.integers(n_users, size=n_rows), np.ones(n_rows, int)
    rows = np.column_stack([users, popular(n_items, n_rows), labels])
    data = build_dataset(rows, np.zeros((0, 3), int), triples, DataConfig("ripplenet"), seed=0)
    config = HAKGConfig(dim=flags.FLAGS.dim, layers=2, negatives=50, sampling=flags.FLAGS.sampling, fan_outs=(4, 2))
    recommender = hakg(config, data, batch_size=4096)
    optimizer = make_optimizer(OptimizerConfig(), recommender.batches.steps_per_epoch)
    trainer = make_trainer(recommender, optimizer, mesh_shape=(n_devices, 1))
    state, order = trainer.init(jax.random.key(0)), trainer.epoch_order(jax.random.key(1))
    times = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        state = jax.block_until_ready(trainer.train_steps(state, order, jnp.int32(2), jax.random.key(2)))
        times.append((time.perf_counter() - start) / 2)
    return min(times[1:])


if __name__ == "__main__":
    run(define_flags, main, __doc__)
