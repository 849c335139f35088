"""Counts from the text of an optimised HLO program: indices, bytes and collectives, times the trips of loops.

A rough model, not checked on hardware. Bytes are those of the operands and results of instructions outside of fusions,
tile padding included. Only the device's main memory counts, not the fast one beside the arithmetic units, S(1) in
layouts. A gather or slice counts the bytes that it takes, a scatter those that it adds. A loop's trips are the largest
constant of its condition, where XLA does not give them.
"""

import collections
import dataclasses
import itertools
import math
import re
from collections.abc import Iterator

_BYTES = {
    **dict.fromkeys(("pred", "s8", "u8"), 1.0),
    **dict.fromkeys(("bf16", "f16", "s16", "u16"), 2.0),
    **dict.fromkeys(("f32", "s32", "u32"), 4.0),
    **dict.fromkeys(("f64", "s64", "u64", "c64"), 8.0),
    **dict.fromkeys(("s4", "u4"), 0.5),
}
_SHAPE = re.compile(r"(\w+)\[([\d,]*)\](?:\{([\d,]*)(?::([^}]*))?\})?")
_COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_STARTS = "AsyncCollectiveStart"
# Custom calls that only rename memory.
_NOTHING = "ConcatBitcast|AllocateBuffer|AssumeGather"
# These move nothing by themselves, or their bytes are counted where they arrive.
_FREE = {
    *("parameter", "constant", "get-tuple-element", "bitcast", "tuple", "after-all", "partition-id", "opt-barrier"),
    *("copy-start", "slice-start", "async-start", "while", "conditional", "call"),
}


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction: its name, the operation, the type of its result, operands by name, and the rest of its line."""

    name: str
    operation: str
    type: str
    operands: tuple[str, ...]
    rest: str

    def attribute(self, pattern: str) -> str | None:
        """Returns the first group of a pattern in the attributes."""
        return found[1] if (found := re.search(pattern, self.rest)) else None

    @property
    def place(self) -> str:
        """The names of the functions that it comes from."""
        return self.attribute(r'op_name="([^"]*)"') or ""


@dataclasses.dataclass(frozen=True)
class Program:
    """Computations by name, each with its instructions by name, and the name of the one that runs first."""

    computations: dict[str, dict[str, Instruction]]
    entry: str

    def executed(self, inside_fusions: bool) -> Iterator[tuple[str, Instruction, int]]:
        """Yields (computation, instruction, times) of all that runs; inside of fusions only if asked for."""
        pending = [(self.entry, 1)]
        while pending:
            name, times = pending.pop()
            for instruction in self.computations[name].values():
                called = _called(instruction)
                if instruction.operation == "while":
                    pending.append((called["body"], times * self.trips(instruction)))
                elif instruction.operation == "conditional":
                    pending += [(branch, times) for branch in _branches(instruction)]
                elif instruction.operation == "call" or (instruction.operation == "fusion" and inside_fusions):
                    pending.append((called.get("to_apply") or called["calls"], times))
                yield name, instruction, times

    def trips(self, loop: Instruction) -> int:
        """Returns how often the body of a loop runs."""
        known = loop.attribute(r'known_trip_count":\{"n":"(\d+)"')
        if known:
            return int(known)
        constants = []
        pending = [_called(loop)["condition"]]
        while pending:
            for instruction in self.computations[pending.pop()].values():
                pending += [name for key, name in _called(instruction).items() if key == "calls"]
                if instruction.operation == "constant" and re.match(r"[su]\d+\[\]", instruction.type):
                    constants += [int(x) for x in re.findall(r"constant\((\d+)\)", instruction.rest)]
        return max(constants, default=1)


def parse(text: str) -> Program:
    """Reads the text of an optimised program."""
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = "", {}
    for line in text.splitlines():
        if head := re.match(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .*\{\s*$", line):
            current = computations.setdefault(head[2], {})
            entry = head[2] if head[1] else entry
        elif found := re.match(r"\s+(?:ROOT )?%?([\w.\-]+) = (.*)$", line):
            current[found[1]] = _instruction(found[1], found[2])
    return Program(computations, entry)


def indices(program: Program) -> collections.Counter[tuple[str, str]]:
    """Counts the indices gathered and scattered, by kind (`gather row`, `scatter scalar`, ...) and place."""
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for name, instruction, times in program.executed(inside_fusions=True):
        if instruction.operation == "gather":
            sizes = [int(x) for x in (instruction.attribute(r"slice_sizes=\{([\d,]*)\}") or "").split(",") if x]
            n_indices = math.prod(_dimensions(instruction.type)) // max(1, math.prod(sizes))
            kind = "gather scalar" if math.prod(sizes) == 1 else "gather row"
        elif instruction.operation == "scatter":
            vector = int(instruction.attribute(r"index_vector_dim=(\d+)") or 0)
            where = program.computations[name].get(instruction.operands[1])
            dimensions = _dimensions(where.type) if where else [0]
            n_indices = math.prod(x for axis, x in enumerate(dimensions) if axis != vector)
            kind = "scatter row" if instruction.attribute(r"update_window_dims=\{([\d,]+)\}") else "scatter scalar"
            if "indices_are_sorted=true" not in instruction.rest:
                kind = f"unsorted {kind}"
        else:
            continue
        counts[kind, instruction.place] += n_indices * times
    return counts


def collectives(program: Program) -> dict[str, tuple[int, float]]:
    """Counts the runs of each kind of collective, and the bytes of its results."""
    instructions = [x for computation in program.computations.values() for x in computation.values()]
    fused = {_called(x)["calls"] for x in instructions if x.operation == "fusion"}
    found: dict[str, tuple[int, float]] = {}
    for name, instruction, times in program.executed(inside_fusions=True):
        kind = instruction.operation.removesuffix("-start")
        # An asynchronous one is named in the fusion that starts it and in all others until it is done.
        repeats = name in fused and not any(_STARTS in x.rest for x in program.computations[name].values())
        if kind in _COLLECTIVES and not repeats:
            sizes = _sizes(instruction.type, fast_memory=True)
            # The result of a start is (operand, result, ...).
            size = sizes[1] if kind != instruction.operation and len(sizes) > 1 else sum(sizes)
            count, total = found.get(kind, (0, 0.0))
            found[kind] = count + times, total + times * size
    return found


def traffic(program: Program) -> collections.Counter[str]:
    """Counts the bytes through main memory, by place."""
    moved: collections.Counter[str] = collections.Counter()
    for name, instruction, times in program.executed(inside_fusions=False):
        if instruction.operation not in _FREE:
            moved[instruction.place] += int(times * _moved(program, name, instruction))
    return moved


def cycles(program: Program) -> int:
    """Sums the compiler's own estimates of cycles, where it gives them."""
    return sum(
        times * int(instruction.attribute(r'estimated_cycles":"(\d+)"') or 0)
        for _, instruction, times in program.executed(inside_fusions=False)
    )


def _moved(program: Program, name: str, instruction: Instruction) -> float:
    if instruction.operation.endswith("-done"):  # One way between the memories; counted here, not at its start.
        return sum(_sizes(instruction.type, fast_memory=True))
    if re.search(_NOTHING, instruction.rest):
        return 0.0
    takes, adds = (
        instruction.operation in ("gather", "dynamic-slice"),
        instruction.operation
        in (
            "scatter",
            "dynamic-update-slice",
        ),
    )
    results = 0.0 if adds else sum(_sizes(instruction.type))
    inside = program.computations.get(instruction.attribute(r"calls=%?([\w.\-]+)") or "", {})
    total = results
    for position, operand in enumerate(instruction.operands):
        source = program.computations[name].get(operand)
        if source is None:
            continue
        how = _use(inside, position) if inside else ""
        if (takes and position == 0) or how == "taken":
            total += min(sum(_sizes(source.type)), results)
        elif not ((adds and position == 0) or how == "added to"):
            total += sum(_sizes(source.type))
    return total


def _use(inside: dict[str, Instruction], position: int) -> str:
    """Returns a fusion's use of an operand: `taken` by gathers only, `added to` by scatters only, or empty."""
    parameter = next((x for x in inside.values() if x.operation == "parameter" and f"({position})" in x.rest), None)
    if parameter is None:
        return ""
    operations, pending = set(), [parameter.name]
    while pending:
        source = pending.pop()
        for user in inside.values():
            if source in user.operands:
                if user.operation in ("bitcast", "reshape"):
                    pending.append(user.name)
                else:
                    operations.add(user.operation)
    if operations and operations <= {"gather", "dynamic-slice"}:
        return "taken"
    return "added to" if operations and operations <= {"scatter", "dynamic-update-slice"} else ""


def _instruction(name: str, text: str) -> Instruction:
    end = _closing(text) + 1 if text.startswith("(") else text.find(" ")  # A tuple's type holds blanks.
    kind, rest = text[:end], text[end:].lstrip()
    operation = re.match(r"([\w\-]+)\(", rest)
    operands = tuple(re.findall(r"%([\w.\-]+)", rest[rest.find("(") : _closing(rest)]))
    return Instruction(name, operation[1] if operation else "", kind, operands, rest)


def _closing(text: str) -> int:
    depths = itertools.accumulate((character == "(") - (character == ")") for character in text)
    return next((k for k, depth in enumerate(depths) if text[k] == ")" and not depth), len(text))


def _called(instruction: Instruction) -> dict[str, str]:
    return dict(re.findall(r"\b(calls|to_apply|body|condition)=%?([\w.\-]+)", instruction.rest))


def _branches(instruction: Instruction) -> list[str]:
    if listed := instruction.attribute(r"branch_computations=\{([^}]*)\}"):
        return [name.strip().lstrip("%") for name in listed.split(",")]
    return re.findall(r"(?:true|false)_computation=%?([\w.\-]+)", instruction.rest)


def _dimensions(kind: str) -> list[int]:
    return [int(x) for x in shape[2].split(",") if x] if (shape := _SHAPE.search(kind)) else []


def _sizes(kind: str, fast_memory: bool = False) -> list[float]:
    """Returns the bytes of each array of a type, padded to tiles; arrays in the fast memory only if asked for."""
    sizes = []
    for element, dimensions, order, layout in _SHAPE.findall(kind):
        if element not in _BYTES or ("S(1)" in layout and not fast_memory):
            continue
        shape = [int(x) for x in dimensions.split(",") if x]
        tiles = re.search(r"T\(([\d,]+)\)", layout)
        if tiles and order:
            shape = [shape[int(axis)] for axis in reversed(order.split(","))]
            for k, tile in enumerate(reversed([int(x) for x in tiles[1].split(",")]), start=1):
                if k <= len(shape):
                    shape[-k] = -(-shape[-k] // tile) * tile
        sizes.append(_BYTES[element] * math.prod(shape))
    return sizes
