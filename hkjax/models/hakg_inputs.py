"""The arrays that HAKG reads: the graph, the interactions and the pairs of the angle loss."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.data.sampling import Histories, make_histories, random_subset
from hkjax.errors import InputError
from hkjax.graph import sparse
from hkjax.models.hakg_config import HAKGConfig


class HAKGInputs(NamedTuple):
    """The arrays that HAKG reads and nobody trains.

    Attributes:
        edges: heads (rows) and tails (columns) of the knowledge graph, every triple in both
            directions.
        relation: int32 [edges], the relation of each edge; inverse relations are apart.
        interactions: users and the items that they liked in train.
        degree: liked items of each user in train, at least 1, [users].
        popularity: users of each item in train, at least 1, [items].
        pairs: apex and other entity of every pair of the angle loss.
        histories: the liked items of each user, for drawing others.
    """

    edges: sparse.Edges
    relation: jax.Array
    interactions: sparse.Edges
    degree: jax.Array
    popularity: jax.Array
    pairs: sparse.Edges
    histories: Histories

    def sample(self, key: jax.Array, edge_keep: float, interaction_keep: float) -> "HAKGInputs":
        """Keeps shares of the edges and of the interactions, drawn anew for each key."""

        def keep(key: jax.Array, edges: sparse.Edges, share: float) -> tuple[sparse.Edges, jax.Array]:
            n = edges.rows.shape[0]
            size = max(1, round(n * share))
            return sparse.keep_edges(edges, random_subset(key, n, size), size)

        edge_key, interaction_key = jax.random.split(key)
        edges, places = keep(edge_key, self.edges, edge_keep)
        interactions, _ = keep(interaction_key, self.interactions, interaction_keep)
        return self._replace(edges=edges, relation=self.relation[places], interactions=interactions)

    def divide(self, n: int) -> tuple["HAKGInputs", Any]:
        """Divides edges, interactions and pairs into n shares: the inputs, and the axes of their leaves."""
        divided: dict[str, Any] = {
            "edges": sparse.divide_edges(self.edges, n),
            "relation": jnp.asarray(sparse.divide(self.relation, n, 0)),
            "interactions": sparse.divide_edges(self.interactions, n),
            "pairs": sparse.divide_edges(self.pairs, n),
        }
        axes = jax.tree.map(lambda _: None, self)._replace(**jax.tree.map(lambda _: 0, divided))
        return self._replace(**divided), axes


def make_inputs(config: HAKGConfig, data: Dataset) -> HAKGInputs:
    """Builds the inputs on the host.

    Raises:
        InputError: no triple, or a user liked every item.
    """
    liked = data.train.positives()
    if not len(data.triples):
        raise InputError("HAKG needs a knowledge graph: kg_final has no triple")
    head, relation, tail = data.triples.T
    heads, tails = np.concatenate([head, tail]), np.concatenate([tail, head])
    relations = np.concatenate([relation, relation + data.n_relations]).astype(np.int32)
    edges, order = sparse.make_edges(heads, tails)
    interactions, _ = sparse.make_edges(liked.users, liked.items)
    histories = make_histories(liked.users, liked.items, data.n_users, data.n_items)
    other, apex = _angle_pairs(config, heads, tails, data.n_items)
    pairs, _ = sparse.make_edges(apex, other)
    return HAKGInputs(
        edges=edges,
        relation=jnp.asarray(relations[order]),
        interactions=interactions,
        degree=jnp.maximum(histories.length, 1),
        popularity=jnp.maximum(np.bincount(liked.items, minlength=data.n_items), 1),
        pairs=pairs,
        histories=histories,
    )


def _angle_pairs(
    config: HAKGConfig, heads: np.ndarray, tails: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """The other entity and the apex of each pair of an item and an attribute, one pair an edge."""
    mixed = (heads < n_items) != (tails < n_items)
    if config.angle_pairs == "attribute_apex":
        mixed &= heads >= n_items
    return tails[mixed], heads[mixed]
