"""The one table of operations that some platform computes in another way than the definition.

An operation offers its ways by name, the definition first. This table says which platform takes which of the others,
how equal the result is, and on what evidence. docs/scaling.md shows it; one test holds every row of it to the
definition.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import jax

Function = Callable[..., Any]
Ways = Mapping[str, Function]


class Row(NamedTuple):
    """One platform's way of one operation.

    Attributes:
        operation: its name.
        platform: where JAX lowers the operation in this way.
        way: the name under which the operation offers it.
        equal: to the definition: `bit` for bit, or up to `rounding`.
        evidence: what it brought, and whether that was timed or said by a compiler.
    """

    operation: str
    platform: Literal["cpu", "cuda", "tpu"]
    way: str
    equal: Literal["bit", "rounding"]
    evidence: str


_BLOCKS = "timed: HAKG's official step takes 0.8 of the time, HKRM's on MovieLens-1M 0.66"
_DOTS = "timed: HAKG's official step takes 0.83 of the time, HKRM's on MovieLens-1M 0.65"
_LIMIT = "timed: 0.94 to 0.95 of HAKG's official step; kept, as without it a step would be over 3 % slower"
_GPU = "timed with the others on an H100: HAKG's steps 5.1 to 4.4 and 8.8 to 7.9 ms"
_PAIR = "compiled, both of `compact` and `take_relations`: 7.3 to 4.7 M indices, 1,049 to 804 MB"
_LISTS = "timed: 1/196 of the time for 512 rows of 12 members, 30,000 columns of 200 entries"
_ORDER = "sums equal from run to run; compiled: unsorted rows 1.9 M to 0.01 M"

TABLE = (
    Row("map_rows", "cpu", "small blocks", "bit", _BLOCKS),
    Row("map_rows", "cuda", "whole", "bit", _GPU),
    Row("add_rows", "cpu", "small blocks", "rounding", _BLOCKS),
    Row("row_dot", "cpu", "dot with ones", "rounding", _DOTS),
    Row("repeat", "cpu", "dot with ones", "bit", _DOTS),
    Row("materialize", "cpu", "quotient", "bit", _LIMIT),
    Row("random_halves", "cpu", "where they are used", "bit", _LIMIT),
    Row("count_excluded_below", "cuda", "unrolled bisection", "bit", _GPU),
    Row("count_excluded_below", "tpu", "comparison", "bit", "compiled: most of 35.4 to 22.3 M indices"),
    Row("bound_of_subset", "cuda", "sorted words", "bit", "timed on an H100: 653 to 109 microseconds, twice a step"),
    Row("compact", "tpu", "shifts", "bit", _PAIR),
    Row("take_relations", "tpu", "one-hot products", "bit", _PAIR),
    Row("add_by_id", "cuda", "in order", "rounding", _ORDER),
    Row("bags", "cuda", "in order", "rounding", _ORDER),
    Row("masked_gram", "cuda", "in order", "rounding", _ORDER),
    Row("score_samples", "cuda", "in order", "rounding", _GPU),
    Row("score_samples", "tpu", "one-hot products", "rounding", "compiled: 22.3 to 17.3 M indices, 1,628 to 909 MB"),
    Row("mean_message", "cuda", "edge rows", "rounding", "compiled: 25.6 to 15.0 M indices; timed with the others"),
    Row("mean_message", "tpu", "edge rows", "rounding", "compiled: 17.3 to 8.1 M indices"),
    Row("laid_by_columns", "tpu", "by columns", "bit", "compiled: 1,397 to 1,062 MB, HKRM 42 to 8 MB"),
    Row("neighbour_sums", "cpu", "by members", "rounding", _LISTS),
    Row("top_k", "cuda", "groups", "bit", "timed on an H100: 1,426 to 123 microseconds a block"),
)


def on_platforms(operation: str, ways: Ways) -> dict[str, Function]:
    """The functions that platforms run instead of the definition, by platform; only ways that are offered."""
    rows = [row for row in TABLE if row.operation == operation]
    assert rows, f"{operation}: no row of the table"
    return {row.platform: ways[row.way] for row in rows if row.way in ways}


def by_platform(operation: str, ways: Ways, *args: Any, **static: Any) -> Any:
    """Runs an operation in the way of the platform that the program is lowered for.

    Args:
        operation: its name in the table.
        ways: its functions by name, the definition first.
        *args: pytrees of arrays.
        **static: further arguments of every way.
    """
    others = {platform: partial(way, **static) for platform, way in on_platforms(operation, ways).items()}
    definition = partial(next(iter(ways.values())), **static)
    return jax.lax.platform_dependent(*args, **others, default=definition)


def as_markdown() -> str:
    """The table as a page shows it."""
    lines = ["| operation | platform | way | equal | evidence |", "|---|---|---|---|---|"]
    lines += [f"| `{r.operation}` | {r.platform} | {r.way} | {r.equal} | {r.evidence} |" for r in TABLE]
    return "\n".join(lines)
