"""Estimates the cost of a step of HAKG on the whole graph for a TPU, from the sizes; checked in docs/scaling.md.

    python benchmarks/cost.py --sizes=users=2e5,items=1e5,entities=1e6,edges=1e7,interactions=2e6 \\
      --devices=1,1 --devices=1,16

The choices are the official ones. Costs are counted from the operations, or have coefficients that were read off the
compiler's programs (`compile_for.py`) for tables with 64 columns.
"""

import math
from typing import NamedTuple

from absl import flags
from generated_shapes import Sizes, parse_sizes
from rich.console import Console
from rich.table import Table

from hkjax.cli.run import run
from hkjax.errors import InputError
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.ops.lowerings import blocks, layout, one_hot
from hkjax.training.partition import MeshShape, parse_mesh_shape

# The fraction of Book-Crossing's edges between an item and an attribute.
_PAIRS = 70216 / 303000
# Of a row of fewer than 128 scalars, in main memory.
_PADDED_BYTES = 4 * 128


class Cost(NamedTuple):
    """The cost of a step for one chip.

    Attributes:
        indices: gathered and scattered.
        memory_bytes: through its main memory, where tables are too large for the chip's own.
        gathered_bytes: of tables that all chips gather from each other, the chip's own part included.
        summed_bytes: of sums among chips.
    """

    indices: float
    memory_bytes: float
    gathered_bytes: float
    summed_bytes: float


def cost(config: HAKGConfig, sizes: Sizes, batch_size: int, mesh: MeshShape = (1, 1)) -> Cost:
    """Computes the cost of a step on a mesh: chips that divide only the batch, by chips that also divide the tables.

    Raises:
        InputError: one of them is below 1.
    """
    if min(mesh) < 1:
        raise InputError(f"--devices: expected two numbers of at least 1, found {mesh}")
    chips = math.prod(mesh)
    own = sizes._replace(edges=sizes.edges / chips, interactions=sizes.interactions / chips)
    if mesh[1] == 1:
        of_chip = _of_whole_tables(config, own, batch_size / chips)
    else:
        of_chip = _of_divided_tables(config, own, batch_size / chips, mesh[1])
    if mesh[0] == 1:
        return of_chip
    # Rows of each layer's tables in both passes, and of their gradients; some are padded.
    rows = (2 * config.layers + 1) * (sizes.entities + sizes.users + sizes.items) / mesh[1]
    return of_chip._replace(summed_bytes=of_chip.summed_bytes + 350 * rows)


def _of_whole_tables(config: HAKGConfig, own: Sizes, batch_size: float) -> Cost:
    """Computes the cost of a chip with whole tables and its own edges, interactions and part of the batch."""
    layers, samples = config.layers, batch_size * config.negatives
    edges, interactions = config.edge_keep * own.edges, config.interaction_keep * own.interactions
    pairs = _PAIRS * own.edges
    # The position of each edge in the order of columns.
    sampling = edges
    # Of an edge, forwards: head, tail and sum; backwards: the head with the sum's gradient, the tail, the head's sum,
    # and the tail's, which are sorted first. Of an interaction: a row in and a row out, both ways, in each sum.
    propagation = layers * 8 * edges + (layers + 1) * 4 * interactions
    angles = 5 * pairs if pairs <= blocks.LARGE_SIZE else 7 * _in_blocks(pairs)
    # Few items' scores are products with one-hot rows: their bytes grow with the items.
    dense = own.items <= one_hot.MOST_ROWS
    batch = 10 * batch_size + (0 if dense else 7.3 * samples)
    rows = 53 * layers * edges + 26 * layers * own.entities + 15 * (layers + 1) * (own.users + own.items)
    scores = 0.175 * samples * own.items if dense else 0
    return Cost(sampling + propagation + angles + batch, _PADDED_BYTES * rows + scores, 0, 0)


def _of_divided_tables(config: HAKGConfig, own: Sizes, batch_size: float, n_chips: int) -> Cost:
    """Computes the cost as in `_of_whole_tables`, but of tables with rows divided among `n_chips`.

    Every chip visits its edges and interactions once for each part of the columns. There are at most `n_chips` parts.
    """
    layers = config.layers
    n_parts = math.ceil(config.dim / math.ceil(config.dim / n_chips))
    edges, interactions = config.edge_keep * own.edges, config.interaction_keep * own.interactions
    visited = (edges + _in_blocks(edges)) / 2  # Half of the operations take whole blocks.
    indices = (20.1 * n_parts + 16.6) * layers * visited + 4 * (layers + 1) * n_parts * interactions + 10 * batch_size
    memory = _PADDED_BYTES * layers * (10 * n_parts * edges + 36 * own.entities)
    # The whole tables that a step gathers, part by part; relations' products count as one more. Two are gathered in
    # rows: every part is padded, unless there are very many rows.
    entities, users, items = own.entities, own.users, own.items
    gathered = (8 * layers + 1) * entities + 2 * layers * users + (2 * layers + 5) * items
    padded = 2 * n_parts * sum(n for n in (entities, items) if n <= layout.MOST_PADDED_ROWS)
    summed = (7 * layers + 2) * entities + 2 * layers * users + (2 * layers + 2) * items
    row_bytes = 4 * config.dim
    return Cost(indices, memory, row_bytes * gathered + _PADDED_BYTES * padded, row_bytes * summed)


def _in_blocks(n: float) -> float:
    """Returns the rows that a loop over blocks takes for n rows."""
    return n if n <= blocks.LARGE_SIZE else blocks.LARGE_SIZE * math.ceil(n / blocks.LARGE_SIZE)


def define_flags() -> None:
    flags.DEFINE_string(
        "sizes", "users=2e5,items=1e5,entities=1e6,edges=1e7,interactions=2e6", "The graph; edges run both ways."
    )
    flags.DEFINE_integer("batch_size", 4096, "Rows of a batch.", lower_bound=1)
    flags.DEFINE_multi_string("devices", ["1,1"], "How many chips divide the batch, and how many the tables; repeated.")


def main() -> None:
    config, sizes = HAKGConfig(**OFFICIAL), parse_sizes(flags.FLAGS.sizes)
    table = Table("DATA x ROWS", "M indices", "GB through memory", "GB gathered from other chips", "GB of sums")
    for devices in flags.FLAGS.devices:
        mesh = parse_mesh_shape(devices.split(","))
        indices, *sent = cost(config, sizes, flags.FLAGS.batch_size, mesh)
        table.add_row(" x ".join(map(str, mesh)), f"{indices / 1e6:,.2f}", *(f"{x / 1e9:,.1f}" for x in sent))
    Console().print(table)


if __name__ == "__main__":
    run(define_flags, main, __doc__)
