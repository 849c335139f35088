"""Trains the official HAKG's model from the initial parameters of its code, and follows test recall.

    python benchmarks/official_run.py --config=configs/hakg_official_book_crossing.py --config.data.split=official

Results differ between initialisations. The official code seeds PyTorch with
2020 and fills its tables in a fixed order by Mersenne Twister draws of 24 bits each, which NumPy also has.
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import config_flags

from hkjax.cli.run import run
from hkjax.data.dataset import Dataset
from hkjax.evaluation.ranking import rank_users
from hkjax.experiment import build_model, read_data, read_experiment
from hkjax.models.base import Params
from hkjax.models.hakg.config import HAKGConfig
from hkjax.training.state import make_optimizer
from hkjax.training.trainer import make_trainer


def define_flags() -> None:
    config_flags.DEFINE_config_file("config", "configs/hakg_official_book_crossing.py", "An experiment with HAKG.")
    flags.DEFINE_integer("torch_seed", 2020, "The seed of the official code's parameters.")
    flags.DEFINE_integer("seeds", 3, "How many seeds of batches, negatives and dropout, from 0 on.")
    flags.DEFINE_list("epochs", ["1", "3", "5", "7"], "After which epochs to measure.")


def main() -> None:
    experiment = read_experiment(flags.FLAGS.config)
    config, data = experiment.model, read_data(experiment)
    assert isinstance(config, HAKGConfig)
    model = build_model(experiment, data)
    trainer = make_trainer(model, make_optimizer(experiment.optimizer, model.batches.steps_per_epoch))
    encode, epochs = jax.jit(model.encode), [int(epoch) for epoch in flags.FLAGS.epochs]
    measured = np.zeros((flags.FLAGS.seeds, len(epochs), 2))
    for seed in range(flags.FLAGS.seeds):
        order_key, step_key = jax.random.split(jax.random.key(seed))
        state = trainer.init(step_key).replace(params=official_params(config, data, flags.FLAGS.torch_seed))
        for epoch in range(max(epochs)):
            order = trainer.epoch_order(jax.random.fold_in(order_key, epoch))
            state = trainer.train_steps(state, order, jnp.int32(model.batches.steps_per_epoch), step_key)
            if epoch + 1 in epochs:
                representation = encode(state.params, model.inputs)
                found = rank_users(model, representation, data.n_items, data.test, data.train, (20,))
                means = [found.metrics[metric].mean() for metric in ("recall@20", "ndcg@20")]
                measured[seed, epochs.index(epoch + 1)] = means
                print(f"seed {seed}, epoch {epoch + 1}: recall@20 {means[0]:.4f}, ndcg@20 {means[1]:.4f}", flush=True)
    print("\n| epoch | recall@20 | ndcg@20 |\n|---|---|---|")
    for epoch, mean, spread in zip(epochs, measured.mean(0), measured.std(0, ddof=1), strict=True):
        cells = (f"{m:.4f} ± {s:.4f}" for m, s in zip(mean, spread, strict=True))
        print(f"| {epoch} | {' | '.join(cells)} |")


def official_params(config: HAKGConfig, data: Dataset, seed: int) -> Params:
    """Draws as in the official code: users and entities, items, relations, and each layer's two gates."""
    source = np.random.RandomState(seed)

    def uniform(shape: tuple[int, ...], limit: float) -> np.ndarray:
        bits = source.randint(2**32, size=shape, dtype=np.uint32) & np.uint32(2**24 - 1)
        return bits.astype(np.float32) * np.float32(2**-24 * 2 * limit) - np.float32(limit)

    def xavier(*shape: int) -> np.ndarray:
        return uniform(shape, (6 / sum(shape)) ** 0.5)

    d = config.dim
    both, item = xavier(data.n_users + data.n_entities, d), xavier(data.n_items, d)
    relation = xavier(2 * data.n_relations, d)
    gates = np.stack([uniform((d, d), d**-0.5).T for _ in range(2 * config.layers)])
    tables = {"user": both[: data.n_users], "entity": both[data.n_users :], "item": item, "relation": relation}
    return {"params": jax.tree.map(jnp.asarray, {**tables, "item_gate": gates[0::2], "entity_gate": gates[1::2]})}


if __name__ == "__main__":
    run(define_flags, main, __doc__)
