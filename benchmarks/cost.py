"""What a step of HAKG on the whole graph costs a TPU, as a function of the sizes; checked in docs/scaling.md.

    python benchmarks/cost.py --sizes=users=2e5,items=1e5,entities=1e6,edges=1e7,interactions=2e6 --devices=1,4,16

The official choices. Counts of indices on one chip are those of the operations, and hold to the index. The rest are
coefficients that were read off the compiler's programs (`compile_for.py`).
"""

import math
from typing import NamedTuple

from absl import flags
from generated_shapes import Sizes, parse_sizes
from rich.console import Console
from rich.table import Table

from hkjax.cli.run import run
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.ops import _blocks

# On Book-Crossing so many of the edges are between an item and an attribute.
_PAIRS = 70216 / 303000
# On one chip, and on a slice, whose rows are narrow.
_BYTES_PER_INDEX, _NARROW_BYTES_PER_INDEX = 1.8e3, 0.35e3
_ROW_BYTES = 4 * 128


class Cost(NamedTuple):
    """Of one chip in one step.

    Attributes:
        indices: gathered and scattered.
        memory_bytes: through its main memory.
        gathered_bytes: of tables, from other chips.
    """

    indices: float
    memory_bytes: float
    gathered_bytes: float


def cost(config: HAKGConfig, sizes: Sizes, chips: int = 1) -> Cost:
    """Of a step whose tables are divided among the chips."""
    if chips == 1:
        indices = _on_one_chip(config, sizes)
        return Cost(indices, indices * _BYTES_PER_INDEX, 0.0)
    # Every chip visits its edges once for each part of the columns, of which there are as many as chips.
    indices = config.layers * config.edge_keep * sizes.edges / chips * (22 * chips + 16)
    # Tables are gathered a few columns at a time, and those are padded to whole rows of 128.
    gathered = 2 * config.layers * chips * sizes.entities * _ROW_BYTES
    return Cost(indices, indices * _NARROW_BYTES_PER_INDEX, gathered)


def _on_one_chip(config: HAKGConfig, sizes: Sizes) -> float:
    edges, interactions = config.edge_keep * sizes.edges, config.interaction_keep * sizes.interactions
    pairs = _PAIRS * sizes.edges
    # Where each edge is in the order of columns.
    sampling = edges
    # Of an edge, forwards head, tail and sum; backwards the head with the sum's gradient, the tail, the head's sum, and
    # the tail's, which are brought into order first. Of an interaction, a row in and a row out, both ways, in each sum.
    propagation = config.layers * 8 * edges + (config.layers + 1) * 4 * interactions
    in_blocks = _blocks.LARGE_SIZE * math.ceil(pairs / _blocks.LARGE_SIZE)
    angles = 5 * pairs if pairs <= _blocks.LARGE_SIZE else 7 * in_blocks
    return sampling + propagation + angles


def define_flags() -> None:
    flags.DEFINE_string(
        "sizes", "users=2e5,items=1e5,entities=1e6,edges=1e7,interactions=2e6", "The graph; edges run both ways."
    )
    flags.DEFINE_list("devices", ["1"], "Numbers of chips.")


def main() -> None:
    config, sizes = HAKGConfig(**OFFICIAL), parse_sizes(flags.FLAGS.sizes)
    table = Table("chips", "M indices", "GB through memory", "GB gathered from other chips")
    for chips in map(int, flags.FLAGS.devices):
        found = cost(config, sizes, chips)
        table.add_row(str(chips), *(f"{x:,.1f}" for x in (found[0] / 1e6, found[1] / 1e9, found[2] / 1e9)))
    Console().print(table)


if __name__ == "__main__":
    run(define_flags, main, __doc__)
