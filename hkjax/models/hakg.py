"""HAKG: a knowledge graph propagated in hyperbolic space, fused with collaborative signals by a gate.

After "Hierarchy-Aware Knowledge Gated Network for Recommendation" (Du et al., SIGIR 2022, arXiv
2204.04959), its slides and its official code. Users, entities and items are kept as tangent vectors
at 0 of the Poincare ball of curvature -1; a point of the ball is their exponential. Aggregation at 0,
exp_0(mean(log_0(.))), is therefore a plain mean of tangent vectors, and only the message of an edge
of the knowledge graph moves on the ball.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from hkjax.data.dataset import Dataset
from hkjax.data.sampling import Histories, draw_unseen, make_histories, stratify
from hkjax.errors import InputError
from hkjax.geometry import cones, radial
from hkjax.graph import message, sparse
from hkjax.graph.pairs import masked_gram
from hkjax.graph.segment import segment_sum
from hkjax.models.base import Batch, Metrics, Recommender
from hkjax.models.losses import angle_loss, contrastive_loss, unit_rows


@dataclasses.dataclass(frozen=True)
class HAKGConfig:
    """The choices that slides and official code state, leave open or differ in.

    Attributes:
        name: this model's name in a configuration.
        dim: embedding size d.
        layers: rounds of propagation L; the result is the sum of layers 0 to L.
        message: of an edge (h, r, t). `slides`: log_{e_h}(e_t (+) e_r). `official`:
            log_h(project(exp_h(e_t) (+) exp_h(e_r))). `euclidean`: t + r - h, the ablation without
            hyperbolic geometry.
        ball_eps: distance of the official projection from the boundary; their code has 4e-3 in
            float32 and 1e-5 in float64.
        item_aggregation: of the users of an item, on the collaborative side. `mean` (slides) or
            `sum` (official).
        dual_items: keep an item's collaborative embedding apart from its entity's. Without it,
            items are their entities alone.
        gate: fuse both by g * c + (1 - g) * e with g = sigmoid(W1 c + W2 e), of the previous layer
            and in the tangent space, since a gated mixture of ball points may leave the ball.
            Without it, by their mean.
        normalize_layers: scale each layer's rows to length 1 (official).
        message_dropout: dropout rate of each layer's rows (official: 0.1).
        edge_keep, interaction_keep: the share of edges of the knowledge graph, and of interactions,
            that a step keeps (official: 0.5). Sums over interactions are divided by it.
        angle_weight: of the angle loss, a mean over pairs of an item and an attribute.
        angle_pairs: `attribute_apex` (slides): the item in the cone of its attribute. `both`
            (official): also the reverse.
        angle_space: what the angles are taken of. `ball`: exp_0 of the layer-0 embeddings.
            `parameter` (official): the embeddings themselves.
        angle: `exact`, or `clipped` as in the official code (see `cones.clipped_angle_of`).
        angle_mask: take each pair's angle over a fresh random half of the dimensions (official).
        aperture: K of the half-aperture.
        negatives: drawn items per row.
        margin: of the negatives in the ranking loss.
        score: `sum_of_cosines`, cos(u, e_i) + cos(u, c_i), which is what the loss trains, or
            `cosine_of_sum` (official), cos(u, e_i + c_i).
    """

    name: Literal["hakg"] = "hakg"
    dim: int = 64
    layers: int = 3
    message: Literal["slides", "official", "euclidean"] = "slides"
    ball_eps: float = 4e-3
    item_aggregation: Literal["mean", "sum"] = "mean"
    dual_items: bool = True
    gate: bool = True
    normalize_layers: bool = False
    message_dropout: float = 0.0
    edge_keep: float = 0.5
    interaction_keep: float = 0.5
    angle_weight: float = 0.005
    angle_pairs: Literal["attribute_apex", "both"] = "attribute_apex"
    angle_space: Literal["ball", "parameter"] = "ball"
    angle: Literal["exact", "clipped"] = "exact"
    angle_mask: bool = False
    aperture: float = 0.1
    negatives: int = 200
    margin: float = 0.6
    score: Literal["sum_of_cosines", "cosine_of_sum"] = "sum_of_cosines"


# What turns the defaults into the official code's model.
OFFICIAL: dict[str, Any] = {
    "message": "official",
    "item_aggregation": "sum",
    "normalize_layers": True,
    "message_dropout": 0.1,
    "angle_pairs": "both",
    "angle_space": "parameter",
    "angle": "clipped",
    "angle_mask": True,
    "score": "cosine_of_sum",
}


class HAKGInputs(NamedTuple):
    """The arrays that HAKG reads and nobody trains.

    Attributes:
        edges: heads and tails of the knowledge graph, every triple in both directions.
        relation: int32 [pieces, WIDTH], the relation of each edge; inverse relations are apart.
        interactions: users and the items that they liked in train.
        degree: liked items of each user in train, at least 1, [users].
        popularity: users of each item in train, at least 1, [items].
        pairs: apex and other entity of every pair of the angle loss.
        histories: the liked items of each user, for drawing others.
    """

    edges: sparse.Adjacency
    relation: jax.Array
    interactions: sparse.Adjacency
    degree: jax.Array
    popularity: jax.Array
    pairs: sparse.Adjacency
    histories: Histories


class Embeddings(NamedTuple):
    """Tangent vectors at 0: of users [users, d], entities [entities, d], items [items, d] (collaborative)."""

    user: jax.Array
    entity: jax.Array
    item: jax.Array


class HAKGRepresentation(NamedTuple):
    """What ranking computes once.

    Attributes:
        user: unit rows [users, d].
        item: rows [items, d'], whose inner products with users are scores.
    """

    user: jax.Array
    item: jax.Array


class HAKG(nn.Module):
    """Names HAKG's parameters and propagates them.

    Attributes:
        config: the choices.
        n_users, n_items, n_entities, n_relations: sizes, relations without their inverses.
        n_edges: directed edges of the knowledge graph.
    """

    config: HAKGConfig
    n_users: int
    n_items: int
    n_entities: int
    n_relations: int
    n_edges: int

    def setup(self) -> None:
        c, xavier = self.config, nn.initializers.xavier_uniform()
        self.node = self.param("node", xavier, (self.n_users + self.n_entities, c.dim))
        self.relation = self.param("relation", xavier, (2 * self.n_relations, c.dim))
        if c.dual_items:
            self.item = self.param("item", xavier, (self.n_items, c.dim))
        if c.dual_items and c.gate:
            self.gates = [[nn.Dense(c.dim, use_bias=False) for _ in range(2)] for _ in range(c.layers)]

    def initial(self) -> Embeddings:
        """Layer 0; without dual items, the collaborative side is that of the entities."""
        entity = self.node[self.n_users :]
        item = self.item if self.config.dual_items else entity[: self.n_items]
        return Embeddings(self.node[: self.n_users], entity, item)

    def messages(self, entity: jax.Array, inputs: HAKGInputs, keep: jax.Array) -> jax.Array:
        """The mean message of each entity's kept edges: [entities, d]; 0 without one.

        Args:
            entity: [entities, d].
            inputs: the graph.
            keep: int32 [kept], ascending, the places of the edges that count; past the end is none.
        """
        tails = inputs.edges.forward.members
        head = inputs.edges.forward.owner.at[keep // tails.shape[1]].get(mode="clip")
        tail, relation = tails.reshape(-1)[keep], inputs.relation.reshape(-1)[keep]
        products = sparse.edge_products(entity, entity, inputs.edges)
        square, by_relation = jnp.sum(entity**2, axis=-1), entity @ self.relation.T
        gram = message.Gram(
            hh=square[head],
            tt=square[tail],
            rr=jnp.sum(self.relation**2, axis=-1)[relation],
            ht=products.reshape(-1)[keep],
            hr=by_relation[head, relation],
            tr=by_relation[tail, relation],
        )
        real = keep < tails.size
        alpha, beta, gamma = (jnp.where(real, part, 0) for part in message.in_blocks(self.coordinates, gram))
        shares = jnp.zeros_like(by_relation).at[head, relation].add(gamma)
        placed = jnp.zeros(tails.size, beta.dtype).at[keep].set(beta, mode="drop").reshape(tails.shape)
        total = segment_sum(alpha, head, self.n_entities)[:, None] * entity + shares @ self.relation
        total += sparse.weighted_sum(placed, entity, inputs.edges, self.n_entities)
        count = segment_sum(real.astype(total.dtype), head, self.n_entities)
        return total / jnp.maximum(count, 1)[:, None]

    def coordinates(self, gram: message.Gram) -> message.Coordinates:
        if self.config.message == "official":
            return message.official_message(gram, self.config.ball_eps)
        return {"slides": message.slides_message, "euclidean": message.euclidean_message}[self.config.message](gram)

    def fuse(self, layer: int, x: Embeddings) -> jax.Array:
        """What users aggregate of items: [items, d]."""
        entity = x.entity[: self.n_items]
        if not self.config.dual_items:
            return entity
        if not self.config.gate:
            return (x.item + entity) / 2
        of_item, of_entity = self.gates[layer]
        gate = nn.sigmoid(of_item(x.item) + of_entity(entity))
        return gate * x.item + (1 - gate) * entity

    def propagate(self, inputs: HAKGInputs, key: jax.Array | None) -> Embeddings:
        """The sum of all layers; with a key, edges, interactions and rows are dropped at random."""
        c = self.config
        keep, weights = self.kept(inputs, key)
        x = total = self.initial()
        for layer in range(c.layers):
            x = self.layer(layer, x, inputs, keep, weights)
            if key is not None and c.message_dropout:
                keys = jax.random.split(jax.random.fold_in(key, layer), 3)
                x = Embeddings(*(_dropout(k, rows, c.message_dropout) for k, rows in zip(keys, x, strict=True)))
            if c.normalize_layers:
                x = Embeddings(*map(unit_rows, x))
            total = Embeddings(*(a + b for a, b in zip(total, x, strict=True)))
        return total

    def layer(self, layer: int, x: Embeddings, inputs: HAKGInputs, keep: jax.Array, weights: jax.Array) -> Embeddings:
        """One round of propagation, before dropout and normalisation; `keep` and `weights` are of `kept`."""
        entity = self.messages(x.entity, inputs, keep)
        user = sparse.weighted_sum(weights, self.fuse(layer, x), inputs.interactions, self.n_users)
        user = user / inputs.degree[:, None]
        if not self.config.dual_items:
            return Embeddings(user, entity, entity[: self.n_items])
        item = sparse.weighted_sum_transposed(weights, x.user, inputs.interactions, self.n_items)
        if self.config.item_aggregation == "mean":
            item = item / inputs.popularity[:, None]
        return Embeddings(user, entity, item)

    def kept(self, inputs: HAKGInputs, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """What a step keeps; everything without a key.

        Returns:
            The places of the kept edges, int32 [kept] (see `sparse.keep_edges`), and the weights of
            the interactions, [pieces, WIDTH]: 0, or 1 / interaction_keep for those that are kept.
        """
        interactions = sparse.is_edge(inputs.interactions, self.n_items).astype(self.node.dtype)
        real = sparse.is_edge(inputs.edges, self.n_entities)
        if key is None:
            return sparse.keep_edges(real, 1.0, self.n_edges), interactions
        edge_key, interaction_key = jax.random.split(jax.random.fold_in(key, self.config.layers))
        edges = real & jax.random.bernoulli(edge_key, self.config.edge_keep, real.shape)
        share = self.config.interaction_keep
        interactions *= jax.random.bernoulli(interaction_key, share, interactions.shape)
        return sparse.keep_edges(edges, self.config.edge_keep, self.n_edges), interactions / share

    def angle(self, inputs: HAKGInputs, key: jax.Array) -> jax.Array:
        """The angle loss on layer 0."""
        c = self.config
        x = self.node[self.n_users :]
        if c.angle_space == "ball":
            x = radial.tanhc(jnp.sum(x**2, axis=-1, keepdims=True)) * x
        apex = jnp.broadcast_to(inputs.pairs.forward.owner[:, None], inputs.pairs.forward.members.shape)
        other = inputs.pairs.forward.members
        if c.angle_mask:
            bits = jax.random.bits(key, (apex.size, -(-c.dim // 32)), jnp.uint32)
            inside = jnp.minimum(other, self.n_entities - 1)
            gram = masked_gram(x, apex.reshape(-1), inside.reshape(-1), bits)
            xx, xy, yy = (column.reshape(apex.shape) for column in gram.T)
        else:
            square = jnp.append(jnp.sum(x**2, axis=-1), 0)
            xx, xy, yy = square[apex], sparse.edge_products(x, x, inputs.pairs), square[other]
        angle = cones.angle_at_apex_of if c.angle == "exact" else cones.clipped_angle_of
        counted = sparse.is_edge(inputs.pairs, self.n_entities)
        return angle_loss(angle(xx, xy, yy), cones.half_aperture_of(xx, c.aperture), counted)

    def loss(self, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """The ranking loss of the rows' liked items against drawn ones, and the angle loss."""
        c = self.config
        dropout_key, draw_key, mask_key = jax.random.split(key, 3)
        x = self.propagate(inputs, dropout_key)
        negative = draw_unseen(draw_key, inputs.histories, batch["user"], c.negatives, self.n_items)
        tables = [unit_rows(table) for table in self.tables(x)]
        losses = contrastive_loss(unit_rows(x.user)[batch["user"]], tables, batch["item"], negative, c.margin)
        ranking = jnp.mean(batch["weight"] * losses)
        angle = self.angle(inputs, mask_key) if c.angle_weight else jnp.zeros(())
        loss = ranking + c.angle_weight * angle
        return loss, {"loss": loss, "ranking": ranking, "angle": angle}

    def tables(self, x: Embeddings) -> list[jax.Array]:
        """The item tables that are scored, [items, d] each."""
        entity = x.entity[: self.n_items]
        return [entity, x.item] if self.config.dual_items else [entity]

    def encode(self, inputs: HAKGInputs) -> HAKGRepresentation:
        """Users and items, from the whole graph."""
        x = self.propagate(inputs, None)
        tables = jnp.stack(self.tables(x))
        item = unit_rows(tables.sum(0)) if self.config.score == "cosine_of_sum" else unit_rows(tables).sum(0)
        return HAKGRepresentation(unit_rows(x.user), item)


def hakg(config: HAKGConfig, data: Dataset, batch_size: int) -> Recommender:
    """Builds HAKG for a data set with liked rows and a knowledge graph.

    Args:
        config: the choices.
        data: the interactions and the graph; rows with label 0 are not used.
        batch_size: liked rows per training step.

    Raises:
        InputError: no triple, or a user liked every item.
    """
    liked = data.train.positives()
    if not len(data.triples):
        raise InputError("HAKG needs a knowledge graph: kg_final has no triple")
    head, relation, tail = data.triples.T
    heads, tails = np.concatenate([head, tail]), np.concatenate([tail, head])
    relations = np.concatenate([relation, relation + data.n_relations]).astype(np.int32)
    edges, place = sparse.make_adjacency(tails, heads, data.n_entities, data.n_entities)
    interactions, _ = sparse.make_adjacency(liked.items, liked.users, data.n_items, data.n_users)
    histories = make_histories(liked.users, liked.items, data.n_users)
    if int(histories.length.max()) >= data.n_items:
        raise InputError("a user liked every item in train: nothing is left to draw")
    other, apex = _angle_pairs(config, heads, tails, data.n_items)
    pairs, _ = sparse.make_adjacency(other, apex, data.n_entities, data.n_entities)
    inputs = HAKGInputs(
        edges=edges,
        relation=sparse.place_edges(relations, place, edges),
        interactions=interactions,
        degree=jnp.maximum(histories.length, 1),
        popularity=jnp.maximum(np.bincount(liked.items, minlength=data.n_items), 1),
        pairs=pairs,
        histories=histories,
    )
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations, heads.size)
    apply: Callable[..., Any] = module.apply
    return Recommender(
        inputs=inputs,
        batches=stratify({"user": liked.users, "item": liked.items}, batch_size),
        init=lambda key: module.init(key, inputs, method="encode"),
        loss=lambda params, inputs, batch, key: apply(params, inputs, batch, key, method="loss"),
        encode=lambda params, inputs: apply(params, inputs, method="encode"),
        score=lambda r, users, items: jnp.sum(r.user[users] * r.item[items], axis=-1),
        rank_scores=lambda r, users: r.user[users] @ r.item.T,
    )


def _angle_pairs(
    config: HAKGConfig, heads: np.ndarray, tails: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """The other entity and the apex of each pair of an item and an attribute, one pair an edge."""
    mixed = (heads < n_items) != (tails < n_items)
    if config.angle_pairs == "attribute_apex":
        mixed &= heads >= n_items
    return tails[mixed], heads[mixed]


def _dropout(key: jax.Array, x: jax.Array, rate: float) -> jax.Array:
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)
