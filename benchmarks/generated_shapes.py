"""The arguments of a training step on a graph of any size, as shapes: nothing is allocated."""

import dataclasses
import math
import re
from typing import Any, NamedTuple

import jax
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.errors import InputError


class Sizes(NamedTuple):
    """Of a graph and its interactions; `edges` run both ways."""

    users: int
    items: int
    entities: int
    edges: int
    interactions: int


class Arguments(NamedTuple):
    """What a step is called with, as ShapeDtypeStructs with their shardings."""

    state: Any
    inputs: Any
    batches: Any
    order: Any
    n_steps: Any
    key: Any


# What the length of an array counts, by the place of the array among the arguments; the first that fits.
_LENGTHS = (
    (r"inputs\.(graph|neighbourhoods\.tails\.(ids|attr))", lambda sizes: sizes.edges),
    (r"inputs\.(pairs|values)", lambda sizes: sizes.edges // 2),
    (r"inputs\.(interactions|neighbourhoods.*\.ids)", lambda sizes: sizes.interactions),
    (r"inputs.*(\.items|\.row|\.position)$", lambda sizes: sizes.interactions),
    (r"batches\.columns", lambda sizes: sizes.interactions),
)


def parse_sizes(text: str) -> Sizes:
    """Sizes from users=1e6,items=..., each of which must be named."""
    try:
        return Sizes(**{name: int(float(number)) for name, number in (part.split("=") for part in text.split(","))})
    except (TypeError, ValueError) as error:
        raise InputError(f"--sizes: expected numbers of {', '.join(Sizes._fields)}, found {text}") from error


def enlarge(data: Dataset, sizes: Sizes) -> Dataset:
    """The same interactions and triples among more users, items and entities."""
    shift = sizes.items - data.n_items
    if sizes.entities < data.n_entities + shift or sizes.users < data.n_users or shift < 0:
        raise InputError(f"--sizes: fewer users, items or other entities than there are: {sizes}")
    triples = data.triples + np.where(data.triples >= data.n_items, shift, 0) * np.array([1, 0, 1])
    ids = range(sizes.entities)
    return dataclasses.replace(
        data,
        n_users=sizes.users,
        n_items=sizes.items,
        n_entities=sizes.entities,
        triples=triples,
        names=data.names._replace(users=range(sizes.users), items=ids, entities=ids, entity_ids=ids),  # type: ignore[arg-type]
    )


def grow(arguments: Arguments, sizes: Sizes, batch_size: int) -> Arguments:
    """The shapes of a step's arguments on enlarged data, as they are with as many edges and interactions.

    Args:
        arguments: with those that there are.
        sizes: of the other graph.
        batch_size: rows per step.
    """
    steps = -(-sizes.interactions // batch_size)
    # What the users of a batch met, where examples have such lengths.
    room = batch_size * math.ceil(sizes.interactions / sizes.users)

    def of_leaf(path: Any, x: Any) -> Any:
        place = jax.tree_util.keystr(path)[1:]
        if re.match(r"order|batches\.buckets", place):
            return _resize(x, -1, steps)
        if re.match(r"batches\.layout\.(row|position)", place):
            return _resize(x, -1, _share(x, room))
        for pattern, length in _LENGTHS:
            if re.match(pattern, place):
                return _resize(x, x.ndim - 1, _share(x, length(sizes)))
        return x

    return jax.tree_util.tree_map_with_path(of_leaf, arguments)


def _share(x: Any, length: int) -> int:
    """A device's part, where an array has an entry for each device in front."""
    return -(-length // x.shape[0]) if x.ndim == 2 else length


def _resize(x: Any, axis: int, length: int) -> Any:
    shape = list(x.shape)
    shape[axis] = length
    return jax.ShapeDtypeStruct(tuple(shape), x.dtype, sharding=x.sharding)
