"""The arrays that HAKG reads: the graph, the interactions and the pairs of the angle loss."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.errors import InputError
from hkjax.models.hakg.config import HAKGConfig
from hkjax.ops.neighbours import make_neighbours, make_neighbours_transposed
from hkjax.ops.sampling import make_exclusions
from hkjax.ops.segment import Ragged
from hkjax.ops.sparse import Edges, make_edges
from hkjax.ops.subset import subsample_edges


class Neighbourhoods(NamedTuple):
    """Adjacency lists, for sampling neighbours.

    Attributes:
        tails: tails of each entity, with their relations.
        users: users of each item.
    """

    tails: Ragged
    users: Ragged


class HAKGInputs(NamedTuple):
    """The arrays that HAKG reads and does not train.

    Attributes:
        graph: heads (rows), tails (columns) and relations (attr) of the knowledge graph, every triple in
            both directions; inverse relations are relations of their own.
        interactions: users (rows) and their positive items (columns) in train.
        user_degree: positive items of each user in train, at least 1, [users].
        item_degree: users of each item in train, at least 1, [items].
        pairs: apex (rows) and other entity (columns) of every pair of the angle loss.
        exclusions: the positive items of each user, ascending; they are no negatives.
        neighbourhoods: the same graph and interactions by entity and item, where neighbours are sampled; else None.
    """

    graph: Edges
    interactions: Edges
    user_degree: jax.Array
    item_degree: jax.Array
    pairs: Edges
    exclusions: Ragged
    neighbourhoods: Neighbourhoods | None = None


class KeptEdges(NamedTuple):
    """The edges and interactions that a training step keeps.

    Attributes:
        inputs: the inputs, with only these edges and interactions.
        scale: the number of all interactions divided by that of the kept ones; it rescales sums over these.
    """

    inputs: HAKGInputs
    scale: float


def subsample(config: HAKGConfig, inputs: HAKGInputs, key: jax.Array) -> KeptEdges:
    """Keeps random fractions `edge_keep` and `interaction_keep` of edges and interactions."""
    graph_key, interactions_key = jax.random.split(key)
    graph = subsample_edges(graph_key, inputs.graph, config.edge_keep)
    interactions = subsample_edges(interactions_key, inputs.interactions, config.interaction_keep)
    scale = inputs.interactions.rows.shape[0] / interactions.rows.shape[0]
    return KeptEdges(inputs._replace(graph=graph, interactions=interactions), scale)


def make_inputs(config: HAKGConfig, data: Dataset) -> HAKGInputs:
    """Builds the inputs on the host.

    Raises:
        InputError: there is no triple, a user has every item as a positive, or there is not one fan-out for each layer.
    """
    if config.sampling == "neighbours" and (len(config.fan_outs) != config.layers or min(config.fan_outs) < 1):
        raise InputError(
            f"fan_outs: expected {config.layers} counts of at least 1, as model.layers, found {config.fan_outs}"
        )
    positives = data.train.positives()
    if not len(data.triples):
        raise InputError("HAKG needs a knowledge graph: found no triple (pass --items or --triples)")
    head, relation, tail = data.triples.T
    heads, tails = np.concatenate([head, tail]), np.concatenate([tail, head])
    relations = np.concatenate([relation, relation + data.n_relations]).astype(np.int32)
    exclusions = make_exclusions(positives.users, positives.items, data.n_users, data.n_items)
    apex, other = _angle_pairs(config, heads, tails, data.n_items)
    graph, interactions = make_edges(heads, tails, relations), make_edges(positives.users, positives.items)
    return HAKGInputs(
        graph=graph,
        interactions=interactions,
        user_degree=jnp.maximum(exclusions.length, 1),
        item_degree=jnp.maximum(np.bincount(positives.items, minlength=data.n_items), 1),
        pairs=make_edges(apex, other),
        exclusions=exclusions,
        neighbourhoods=Neighbourhoods(
            tails=make_neighbours(graph, data.n_entities),
            users=make_neighbours_transposed(interactions, data.n_items),
        )
        if config.sampling == "neighbours"
        else None,
    )


def fewer_negatives(config: HAKGConfig, data: Dataset) -> dict[str, Any]:
    """Returns `model.negatives` for a user's own tables: at most half of the items."""
    return {"model.negatives": max(1, min(config.negatives, data.n_items // 2))}


def _angle_pairs(
    config: HAKGConfig, heads: np.ndarray, tails: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns apex and other end of every edge between an item and an attribute, an entity that is no item."""
    mixed = (heads < n_items) != (tails < n_items)
    if config.angle_pairs == "attribute_apex":
        mixed &= heads >= n_items
    return heads[mixed], tails[mixed]
