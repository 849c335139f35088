"""Compares a configuration's loss, gradient and steps on the device at hand with those of this machine's CPU.

    python benchmarks/agreement.py --config=configs/hakg_official_book_crossing.py

Prints |x - y| / |y| in the Euclidean norm, |x| where y is 0: of the metrics, of each gradient, and of the parameters
after some steps. The steps run directly, and by `jax.shard_map` on a mesh of only this device.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import config_flags

from hkjax.cli.run import run
from hkjax.data.batching import epoch_order, get_batch, shard_order
from hkjax.experiment import build_model, read_data, read_experiment
from hkjax.training.partition import Partitioner, make_mesh
from hkjax.training.state import create_state, make_optimizer
from hkjax.training.trainer import steps_on_mesh, steps_on_one_device


def define_flags() -> None:
    flags.DEFINE_integer("steps", 3, "How many steps to take.")
    config_flags.DEFINE_config_file("config", None, "The experiment.")


def main() -> None:
    experiment = read_experiment(flags.FLAGS.config)
    recommender = build_model(experiment, read_data(experiment))
    optimizer = make_optimizer(experiment.optimizer, recommender.batches.steps_per_epoch)
    create, n_steps, key = (
        partial(create_state, recommender, optimizer),
        jnp.int32(flags.FLAGS.steps),
        jax.random.key(2),
    )
    cpu, here = jax.devices("cpu")[0], jax.devices()[0]
    # Both start from the same parameters: their normal draws may differ.
    with jax.default_device(cpu):
        state = jax.jit(create)(jax.random.key(0))
        order = epoch_order(recommender.batches, jax.random.key(1))
    batch = jax.jit(get_batch)(recommender.batches, order, 0)
    gradient = jax.jit(jax.value_and_grad(recommender.loss, has_aux=True))
    steps = steps_on_one_device(recommender, optimizer)

    def on(device: jax.Device) -> dict[str, Any]:
        put = partial(jax.device_put, device=device)
        (_, metrics), gradients = gradient(*put((state.params, recommender.inputs, batch, key)))
        begin = jax.tree.map(jnp.copy, state)
        after = steps(*put((begin, recommender.inputs, recommender.batches, order, n_steps, key)))
        return {"metrics": metrics, "gradient": gradients, "parameters": after.params}

    found, expected = on(here), on(cpu)
    print(f"{experiment.model.name}: {here.device_kind} against the CPU, jax {jax.__version__}")
    for name in expected:
        _print_differences(name, found[name], expected[name])
    on_a_mesh = _on_a_mesh(recommender, optimizer, state, order, n_steps, key)
    _print_differences("parameters, by shard_map", on_a_mesh, expected["parameters"])


def _on_a_mesh(recommender: Any, optimizer: Any, state: Any, order: Any, n_steps: Any, key: Any) -> Any:
    p = Partitioner(recommender, make_mesh((1, 1)))
    specs = p.state(partial(create_state, recommender, optimizer))
    steps = steps_on_mesh(recommender, optimizer, p, specs)
    batches = p.put_global(p.divide_batches(recommender.batches), p.batch_specs)
    state = p.put_global(state, p.state_specs(specs))
    rest = p.put_global((n_steps, key), jax.sharding.PartitionSpec())
    return steps(state, p.inputs, batches, p.put_global(shard_order(order, 1), p.each), *rest).params


def _print_differences(name: str, found: Any, expected: Any) -> None:
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True):
        print(f"{name + jax.tree_util.keystr(path):60s} {_difference(x, y):.1e}", flush=True)


def _difference(x: jax.Array, y: jax.Array) -> float:
    a, b = (np.asarray(z, np.float64) for z in (x, y))
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / (size if size > 0 else 1.0)


if __name__ == "__main__":
    run(define_flags, main, __doc__)
