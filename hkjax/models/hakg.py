"""HAKG: a knowledge graph propagated in hyperbolic space, fused with collaborative signals by a gate.

After "Hierarchy-Aware Knowledge Gated Network for Recommendation" (Du et al., SIGIR 2022, arXiv
2204.04959), its slides and its official code. Users, entities and items are kept as tangent vectors
at 0 of the Poincare ball of curvature -1; a point of the ball is their exponential. Aggregation at 0,
exp_0(mean(log_0(.))), is therefore a plain mean of tangent vectors, and only the message of an edge
of the knowledge graph moves on the ball.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.ad_checkpoint import checkpoint_name

from hkjax.data.dataset import Dataset
from hkjax.data.sampling import Histories, draw_unseen, make_histories, random_subset, stratify
from hkjax.errors import InputError
from hkjax.geometry import cones, radial
from hkjax.graph import message, sparse
from hkjax.graph.pairs import masked_gram
from hkjax.graph.segment import segment_sum
from hkjax.models.base import AXIS, Batch, Metrics, Recommender, Shares, over_devices
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


class Embeddings(NamedTuple):
    """Tangent vectors at 0: of users [users, d], entities [entities, d], items [items, d] (collaborative)."""

    user: jax.Array
    entity: jax.Array
    item: jax.Array


class HAKGRepresentation(NamedTuple):
    """What ranking computes once.

    Attributes:
        user: unit rows [users, d].
        item: rows [items, d], whose inner products with users are scores.
        place: where the entities lie in the Poincare ball before propagation, [entities, d].
    """

    user: jax.Array
    item: jax.Array
    place: jax.Array


class HAKG(nn.Module):
    """Names HAKG's parameters and propagates them.

    Attributes:
        config: the choices.
        n_users, n_items, n_entities, n_relations: sizes, relations without their inverses.
        axis: the named axis of the devices that share edges, interactions and pairs, if any.
    """

    config: HAKGConfig
    n_users: int
    n_items: int
    n_entities: int
    n_relations: int
    axis: str | None = None

    def setup(self) -> None:
        c, xavier = self.config, nn.initializers.xavier_uniform()
        limit = (6 / (self.n_users + self.n_entities + c.dim)) ** 0.5
        # Users and entities are one matrix to the initialisation, as in the official code.
        self.user = self.param("user", _uniform(limit), (self.n_users, c.dim))
        self.entity = self.param("entity", _uniform(limit), (self.n_entities, c.dim))
        self.relation = self.param("relation", xavier, (2 * self.n_relations, c.dim))
        if c.dual_items:
            self.item = self.param("item", xavier, (self.n_items, c.dim))
        if c.dual_items and c.gate:
            shape = (c.layers, c.dim, c.dim)
            self.item_gate, self.entity_gate = (
                self.param(name, _uniform(c.dim**-0.5), shape) for name in ("item_gate", "entity_gate")
            )

    def initial(self) -> Embeddings:
        """Layer 0; without dual items, the collaborative side is that of the entities."""
        item = self.item if self.config.dual_items else self.entity[: self.n_items]
        return Embeddings(self.user, self.entity, item)

    def messages(self, entity: jax.Array, inputs: HAKGInputs) -> jax.Array:
        """The mean message of each entity's edges: [entities, d], 0 without one, from entity [entities, d]."""
        edges, relation = inputs.edges, inputs.relation
        ends = jnp.stack([edges.rows, edges.columns])
        hh, tt = jnp.sum(entity**2, axis=-1).at[ends].get(mode="clip")
        hr, tr = (entity @ self.relation.T).at[ends, relation].get(mode="clip")
        rr = jnp.sum(self.relation**2, axis=-1)[relation]
        gram = message.Gram(hh, tt, rr, sparse.edge_products(entity, entity, edges), hr, tr)
        gram = message.Gram(*(checkpoint_name(x, "edge") for x in gram))
        alpha, beta, gamma = (checkpoint_name(x, "edge") for x in message.of_edges(self.coordinates, gram))
        shares = jnp.zeros((self.n_entities, 2 * self.n_relations), gamma.dtype).at[edges.rows, relation].add(gamma)
        total = segment_sum(alpha, edges.rows, self.n_entities)[:, None] * entity + shares @ self.relation
        total += sparse.weighted_sum(beta, entity, edges, self.n_entities)
        total = over_devices(total, self.axis)
        count = over_devices(segment_sum(jnp.ones_like(alpha), edges.rows, self.n_entities), self.axis)
        return total / jnp.maximum(count, 1)[:, None]

    def coordinates(self, gram: message.Gram) -> message.Coordinates:
        if self.config.message == "official":
            return message.official_message(gram, self.config.ball_eps)
        return {"slides": message.slides_message, "euclidean": message.euclidean_message}[self.config.message](gram)

    def gates(self) -> tuple[jax.Array, jax.Array] | None:
        """W1 and W2 of every layer, [layers, d, d] each."""
        c = self.config
        return (self.item_gate, self.entity_gate) if c.dual_items and c.gate else None

    def fuse(self, x: Embeddings, gates: tuple[jax.Array, jax.Array] | None) -> jax.Array:
        """What users aggregate of items: [items, d]."""
        entity = x.entity[: self.n_items]
        if not self.config.dual_items:
            return entity
        if gates is None:
            return (x.item + entity) / 2
        gate = nn.sigmoid(x.item @ gates[0] + entity @ gates[1])
        return gate * x.item + (1 - gate) * entity

    def propagate(self, inputs: HAKGInputs, key: jax.Array | None) -> Embeddings:
        """The sum of all layers; with a key, edges, interactions and rows are dropped at random."""
        c = self.config
        keys, n_all = None, inputs.interactions.rows.shape[0]
        if key is not None:
            sample_key, *dropout_keys = jax.random.split(key, c.layers + 1)
            inputs, keys = self.sample(inputs, self.own(sample_key)), jnp.stack(dropout_keys)
        scale = n_all / inputs.interactions.rows.shape[0]

        def advance(carry: tuple[Embeddings, Embeddings], layer: Any) -> tuple[tuple[Embeddings, Embeddings], None]:
            x, total = carry
            gates, key = layer
            x = self.layer(x, inputs, gates, scale)
            if key is not None and c.message_dropout:
                x = Embeddings(*map(partial(_dropout, rate=c.message_dropout), jax.random.split(key, 3), x))
            if c.normalize_layers:
                x = Embeddings(*map(unit_rows, x))
            return (x, Embeddings(*map(jnp.add, total, x))), None

        start = self.initial()
        # The reverse pass keeps the numbers of every edge and computes the rows of a layer anew.
        keep = jax.checkpoint_policies.save_only_these_names("edge")
        advance = jax.checkpoint(advance, prevent_cse=False, policy=keep)
        return jax.lax.scan(advance, (start, start), (self.gates(), keys), length=c.layers)[0][1]

    def layer(
        self, x: Embeddings, inputs: HAKGInputs, gates: tuple[jax.Array, jax.Array] | None, scale: float
    ) -> Embeddings:
        """One round of propagation, before dropout and normalisation.

        Args:
            x: the previous layer.
            inputs: the graph, or a `sample` of it.
            gates: W1 and W2 of this layer.
            scale: all interactions by those of the sample.
        """
        entity, interactions = self.messages(x.entity, inputs), inputs.interactions
        weights = jnp.full(interactions.rows.shape[0], scale, entity.dtype)
        user = sparse.weighted_sum(weights, self.fuse(x, gates), interactions, self.n_users)
        user = over_devices(user, self.axis) / inputs.degree[:, None]
        if not self.config.dual_items:
            return Embeddings(user, entity, entity[: self.n_items])
        item = sparse.weighted_sum_transposed(weights, x.user, interactions, self.n_items)
        item = over_devices(item, self.axis)
        if self.config.item_aggregation == "mean":
            item = item / inputs.popularity[:, None]
        return Embeddings(user, entity, item)

    def own(self, key: jax.Array) -> jax.Array:
        """This device's own key."""
        return key if self.axis is None else jax.random.fold_in(key, jax.lax.axis_index(self.axis))

    def sample(self, inputs: HAKGInputs, key: jax.Array) -> HAKGInputs:
        """Keeps the shares of edges and interactions that a step keeps."""

        def keep(key: jax.Array, edges: sparse.Edges, share: float) -> tuple[sparse.Edges, jax.Array]:
            n = edges.rows.shape[0]
            size = max(1, round(n * share))
            return sparse.keep_edges(edges, random_subset(key, n, size), size)

        edge_key, interaction_key = jax.random.split(key)
        edges, places = keep(edge_key, inputs.edges, self.config.edge_keep)
        interactions, _ = keep(interaction_key, inputs.interactions, self.config.interaction_keep)
        return inputs._replace(edges=edges, relation=inputs.relation[places], interactions=interactions)

    def angle(self, inputs: HAKGInputs, key: jax.Array) -> jax.Array:
        """The angle loss on layer 0."""
        c = self.config
        x = on_ball(self.entity) if c.angle_space == "ball" else self.entity
        apex, other = inputs.pairs.rows, inputs.pairs.columns
        if c.angle_mask:
            bits = jax.random.bits(self.own(key), (apex.size, -(-c.dim // 32)), jnp.uint32)
            xx, xy, yy = masked_gram(x, apex, other, bits).T
        else:
            square = jnp.sum(x**2, axis=-1)
            xx, yy = square.at[jnp.stack([apex, other])].get(mode="clip")
            xy = sparse.edge_products(x, x, inputs.pairs)
        angle = cones.angle_at_apex_of if c.angle == "exact" else cones.clipped_angle_of
        losses = angle_loss(angle(xx, xy, yy), cones.half_aperture_of(xx, c.aperture))
        real = apex < self.n_entities
        mean_size = over_devices(real.sum(), self.axis) / over_devices(jnp.ones(()), self.axis)
        return jnp.sum(jnp.where(real, losses, 0)) / jnp.maximum(mean_size, 1)

    def loss(self, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """The ranking loss of the rows' liked items against drawn ones, and the angle loss."""
        c = self.config
        dropout_key, draw_key, mask_key = jax.random.split(key, 3)
        x = self.propagate(inputs, dropout_key)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(draw_key, batch["example"])
        negative = draw_unseen(keys, inputs.histories, batch["user"], c.negatives, self.n_items)
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
        return HAKGRepresentation(unit_rows(x.user), item, on_ball(self.entity))


def on_ball(x: jax.Array) -> jax.Array:
    """exp_0 of tangent vectors, [..., d] to [..., d]."""
    return radial.tanhc(jnp.sum(x**2, axis=-1, keepdims=True)) * x


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
    edges, order = sparse.make_edges(heads, tails)
    interactions, _ = sparse.make_edges(liked.users, liked.items)
    histories = make_histories(liked.users, liked.items, data.n_users)
    if int(histories.length.max()) >= data.n_items:
        raise InputError("a user liked every item in train: nothing is left to draw")
    other, apex = _angle_pairs(config, heads, tails, data.n_items)
    pairs, _ = sparse.make_edges(apex, other)
    inputs = HAKGInputs(
        edges=edges,
        relation=jnp.asarray(relations[order]),
        interactions=interactions,
        degree=jnp.maximum(histories.length, 1),
        popularity=jnp.maximum(np.bincount(liked.items, minlength=data.n_items), 1),
        pairs=pairs,
        histories=histories,
    )
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)

    apply: Callable[..., Any] = module.apply

    def split(n: int) -> Shares:
        divided: dict[str, Any] = {
            "edges": sparse.divide_edges(inputs.edges, n, data.n_entities),
            "relation": jnp.asarray(sparse.divide(inputs.relation, n, 0)),
            "interactions": sparse.divide_edges(inputs.interactions, n, data.n_users),
            "pairs": sparse.divide_edges(inputs.pairs, n, data.n_entities),
        }
        axes = jax.tree.map(lambda _: None, inputs)._replace(**jax.tree.map(lambda _: 0, divided))
        apply: Callable[..., Any] = module.clone(axis=AXIS).apply
        return Shares(inputs._replace(**divided), axes, partial(apply, method="loss"))

    return Recommender(
        inputs=inputs,
        batches=stratify({"user": liked.users, "item": liked.items}, batch_size),
        init=lambda key: module.init(key, inputs, method="encode"),
        loss=partial(apply, method="loss"),
        encode=partial(apply, method="encode"),
        score=lambda r, users, items: jnp.sum(r.user[users] * r.item[items], axis=-1),
        rank_scores=lambda r, users: r.user[users] @ r.item.T,
        split=split,
    )


def _angle_pairs(
    config: HAKGConfig, heads: np.ndarray, tails: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """The other entity and the apex of each pair of an item and an attribute, one pair an edge."""
    mixed = (heads < n_items) != (tails < n_items)
    if config.angle_pairs == "attribute_apex":
        mixed &= heads >= n_items
    return tails[mixed], heads[mixed]


def _uniform(limit: float) -> Callable[..., jax.Array]:
    return partial(jax.random.uniform, minval=-limit, maxval=limit)


def _dropout(key: jax.Array, x: jax.Array, rate: float) -> jax.Array:
    """Zeroes entries of x [rows, d] at a rate rounded to 1/65536: two entries share a word of random bits."""
    words = jax.random.bits(key, (x.shape[0], -(-x.shape[1] // 2)), jnp.uint32)
    bits = jax.lax.bitcast_convert_type(words, jnp.uint16).reshape(x.shape[0], -1)[:, : x.shape[1]]
    threshold = round(rate * 65536)
    return jnp.where(bits >= threshold, x / (1 - threshold / 65536), 0)
