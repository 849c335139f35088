"""Compiles a step, or evaluation, for a TPU or GPU that need not be here; see benchmarks/README.md.

python benchmarks/compile_for.py --target=v5e:2x2 --config=configs/hakg_official_book_crossing.py
python benchmarks/compile_for.py --target=h100 --config=configs/hkrm_book_crossing.py --json=runs/h100.json
python benchmarks/compile_for.py --target=v5e:4x4 --devices=1,-1 --config=configs/hakg_synthetic.py \\
  --sizes=users=10e6,items=5e6,entities=50e6,edges=500e6,interactions=100e6
"""

import collections
import json
import math
import resource
import time
from functools import partial
from pathlib import Path
from typing import Any

import hlo
import jax
import jax.numpy as jnp
from absl import flags
from generated_shapes import Arguments, Sizes, enlarge, grow, parse_sizes
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from ml_collections import config_flags
from rich.console import Console
from rich.table import Table

from hkjax.cli.run import run
from hkjax.data.batching import epoch_order, shard_order
from hkjax.data.dataset import Dataset
from hkjax.experiment import build_model, read_data, read_experiment
from hkjax.models.base import ShardedModel
from hkjax.training.partition import Partitioner, make_mesh, parse_mesh_shape, shard_model
from hkjax.training.state import create_state, make_optimizer
from hkjax.training.trainer import steps_on_mesh, steps_on_one_device
from hkjax.transfer import put_global

# Names that hkjax gives by jax.named_scope.
_PARTS = (
    *("drawing negatives", "edge sampling", "dropout", "propagation", "ranking loss", "angle loss"),
    *("query", "target", "optimiser"),
)
_GPUS = {"h100": Path(__file__).with_name("h100.textproto")}


def define_flags() -> None:
    flags.DEFINE_string("target", "v5e:2x2", "A slice of TPUs, such as v5e:2x2 or v5p:2x2x1, or a GPU: h100.")
    flags.DEFINE_list("devices", None, "How many devices divide the batch, and how many the tables; -1 for all others.")
    flags.DEFINE_enum("program", "step", ["step", "encode"], "A training step, or evaluation's walk of the graph.")
    flags.DEFINE_string("sizes", None, "A graph to compile for, in place of the data: users=1e6,items=...")
    flags.DEFINE_string("json", None, "A file for the figures.")
    flags.DEFINE_string("text", None, "A file for the program itself.")
    config_flags.DEFINE_config_file("config", None, "The experiment.")


def main() -> None:
    found, platform = target_devices(flags.FLAGS.target)
    experiment = read_experiment(flags.FLAGS.config)
    mesh = make_mesh(parse_mesh_shape(flags.FLAGS.devices or ("1", "1")), found)
    sizes = parse_sizes(flags.FLAGS.sizes) if flags.FLAGS.sizes else None
    program = flags.FLAGS.program
    figures, text = compile_program(program, experiment, mesh, platform, sizes)
    devices = " x ".join(map(str, mesh.devices.shape))
    title = f"{experiment.model.name}, {program}, for {devices} of {flags.FLAGS.target}"
    Console(width=120).print(as_table(figures, title))
    if flags.FLAGS.json:
        Path(flags.FLAGS.json).write_text(json.dumps(figures, indent=2) + "\n")
    if flags.FLAGS.text:
        Path(flags.FLAGS.text).write_text(text)


def target_devices(target: str) -> tuple[Any, str]:
    """Returns the devices of a slice, or a GPU, that need not be here, and their platform."""
    if target in _GPUS:
        options = {"topology": "1x1x1", "target_config": _GPUS[target].read_text()}
        return topologies.get_topology_desc(platform="cuda", topology_name=target, **options).devices, "cuda"
    return topologies.get_topology_desc(platform="tpu", topology_name=target).devices, "tpu"


def compile_program(
    name: str, experiment: Any, mesh: Mesh, platform: str, sizes: Sizes | None
) -> tuple[dict[str, Any], str]:
    """Compiles the training step, or the model's `encode`; returns the figures and the program's text."""
    data = read_data(experiment)
    programs, arguments = programs_on(mesh, experiment, data if sizes is None else enlarge(data, sizes))
    if sizes is not None:
        arguments = grow(arguments, data, sizes)
    used = arguments if name == "step" else (arguments.state.params, arguments.inputs)
    lowered = programs[name].trace(*used).lower(lowering_platforms=(platform,))
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    compiled = lowered.compile()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory, text = compiled.memory_analysis(), compiled.as_text()
    return {
        "compile seconds": time.perf_counter() - start,
        "compile CPU seconds": cpu,
        "argument MB": memory.argument_size_in_bytes / 1e6,
        "held MB": sum(map(bytes_of_device, jax.tree.leaves(arguments))) / 1e6,
        "temporary MB": memory.temp_size_in_bytes / 1e6,
        **figures_of(hlo.parse(text)),
    }, text


def programs_on(mesh: Mesh, experiment: Any, data: Dataset) -> tuple[dict[str, Any], Arguments]:
    """Returns the jitted step and `encode`, and the shapes of the step's arguments, on one device or on a mesh."""
    recommender = build_model(experiment, data)
    optimizer = make_optimizer(experiment.optimizer, recommender.batches.steps_per_epoch)
    create, key = partial(create_state, recommender, optimizer), jax.random.key(0)
    order, last = jax.eval_shape(epoch_order, recommender.batches, key), (jnp.int32(1), key)
    if mesh.size == 1:
        arguments = jax.eval_shape(create, key), recommender.inputs, recommender.batches, order, *last
        everywhere = partial(put_global, sharding=NamedSharding(mesh, P()))
        shapes = Arguments(*jax.tree.map(everywhere, shapes_of(arguments)))
        return {"step": steps_on_one_device(recommender, optimizer), "encode": jax.jit(recommender.encode)}, shapes

    def shard(*shape: int) -> ShardedModel:
        sharded = shard_model(recommender, *shape)
        return sharded._replace(inputs=shapes_of(sharded.inputs))

    p = Partitioner(recommender._replace(shard=shard), mesh)
    batches = p.put_global(shapes_of(p.divide_batches(recommender.batches)), p.batch_specs)
    order = p.put_global(jax.eval_shape(partial(shard_order, n=mesh.size), order), p.each)
    state, rest = p.state(create), p.put_global(shapes_of(last), P())
    programs = {"step": steps_on_mesh(recommender, optimizer, p, state), "encode": jax.jit(p.recommender.encode)}
    return programs, Arguments(state, p.inputs, batches, order, *rest)


def shapes_of(tree: Any) -> Any:
    """Returns shapes instead of arrays."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def bytes_of_device(x: jax.ShapeDtypeStruct) -> int:
    """Returns the bytes of an array on one device, even if only evaluation reads it."""
    assert x.sharding is not None
    return math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize


def figures_of(program: hlo.Program) -> dict[str, Any]:
    """Returns the figures of a step: totals, and by part."""
    indices, kinds = collections.Counter[str](), collections.Counter[str]()
    for (kind, place), count in hlo.indices(program).items():
        indices[part_of(place)] += count
        kinds[kind] += count
    moved = collections.Counter[str]()
    for place, size in hlo.traffic(program).items():
        moved[part_of(place)] += size
    return {
        "M indices": sum(indices.values()) / 1e6,
        "HBM GB": sum(moved.values()) / 1e9,
        "M cycles": hlo.cycles(program) / 1e6,
        "M indices by kind": {kind: count / 1e6 for kind, count in kinds.most_common()},
        "M indices by part": {part: count / 1e6 for part, count in indices.most_common()},
        "HBM GB by part": {part: size / 1e9 for part, size in moved.most_common()},
        "collectives": {kind: [count, size / 1e6] for kind, (count, size) in hlo.collectives(program).items()},
    }


def part_of(place: str) -> str:
    """Returns the part of the step that an instruction belongs to: the innermost one in its name."""
    part = max(_PARTS, key=place.rfind)
    part = part if part in place else "other"
    return f"{part}, backwards" if "transpose(" in place else part


def as_table(figures: dict[str, Any], title: str) -> Table:
    """Returns a table of the parts, and of the totals below them."""
    table = Table("", "M indices", "HBM GB", title=title, title_justify="left")
    for part in sorted({*figures["M indices by part"], *figures["HBM GB by part"]}):
        cells = (figures[name].get(part, 0.0) for name in ("M indices by part", "HBM GB by part"))
        table.add_row(part, *(f"{cell:.2f}" for cell in cells))
    table.add_section()
    table.add_row("all", f"{figures['M indices']:.2f}", f"{figures['HBM GB']:.2f}")
    for name in ("compile CPU seconds", "argument MB", "held MB", "temporary MB", "M cycles"):
        table.add_row(f"{name}: {figures[name]:,.0f}")
    for kind, count in figures["M indices by kind"].items():
        table.add_row(f"{kind}: {count:.2f} M indices")
    for kind, (count, size) in figures["collectives"].items():
        table.add_row(f"{kind}: {count}, {size / 1e3:.2f} GB")
    return table


if __name__ == "__main__":
    run(define_flags, main, __doc__)
