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
    """Sizes of a graph and its interactions; `edges` run both ways."""

    users: int
    items: int
    entities: int
    edges: int
    interactions: int


class Arguments(NamedTuple):
    """Arguments of a step, as ShapeDtypeStructs with their shardings."""

    state: Any
    inputs: Any
    batches: Any
    order: Any
    n_steps: Any
    key: Any


# Paths of arguments that grow with the edges, the interactions, and the interactions of a user.
_BY_EDGES = r"inputs\.(graph|pairs|values\.|values_by_item\.(values|attr)|neighbourhoods\.tails\.(values|attr))"
_BY_INTERACTIONS = r"inputs\.interactions|inputs.*(\.values|\.row|\.position)$|batches\.(columns|buckets)|order"
_BY_HISTORY = r"batches\.layout\.(row|position)"


def parse_sizes(text: str) -> Sizes:
    """Reads sizes from users=1e6,items=...; each must be named."""
    try:
        return Sizes(**{name: int(float(number)) for name, number in (part.split("=") for part in text.split(","))})
    except (TypeError, ValueError) as error:
        raise InputError(f"--sizes: expected numbers of {', '.join(Sizes._fields)}, found {text}") from error


def enlarge(data: Dataset, sizes: Sizes) -> Dataset:
    """Returns the same interactions and triples among more users, items and entities."""
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


def grow(arguments: Arguments, data: Dataset, sizes: Sizes) -> Arguments:
    """Returns the shapes of a step's arguments on enlarged data, with the edges and interactions of `sizes`.

    Args:
        arguments: with the edges and interactions of `data`.
        data: the data before they were enlarged.
        sizes: of the other graph.
    """
    edges = sizes.edges / (2 * len(data.triples))
    interactions = sizes.interactions / len(data.train.positives().users)
    factors = {
        _BY_EDGES: edges,
        _BY_INTERACTIONS: interactions,
        _BY_HISTORY: interactions * data.n_users / sizes.users,
    }

    def of_leaf(path: Any, x: Any) -> Any:
        place = jax.tree_util.keystr(path)[1:]
        factor = next((factor for pattern, factor in factors.items() if re.match(pattern, place)), 1)
        shape = (*x.shape[:-1], math.ceil(x.shape[-1] * factor)) if x.ndim else ()
        return jax.ShapeDtypeStruct(shape, x.dtype, sharding=x.sharding)

    return jax.tree_util.tree_map_with_path(of_leaf, arguments)
