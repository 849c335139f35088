"""HAKG: a knowledge graph propagated in hyperbolic space, fused with collaborative signals by a gate.

After "Hierarchy-Aware Knowledge Gated Network for Recommendation" (Du et al., SIGIR 2022, arXiv
2204.04959), its slides and its official code. Users, entities and items are kept as tangent vectors
at 0 of the Poincare ball of curvature -1; a point of the ball is their exponential. Aggregation at 0,
exp_0(mean(log_0(.))), is therefore a plain mean of tangent vectors, and only the message of an edge
of the knowledge graph moves on the ball.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.ad_checkpoint import checkpoint_name

from hkjax.data.dataset import Dataset
from hkjax.data.sampling import draw_unseen, stratify
from hkjax.geometry import cones, radial
from hkjax.graph import message, relations, sparse
from hkjax.graph.pairs import masked_gram
from hkjax.graph.segment import segment_sum
from hkjax.models.base import Batch, Metrics, Recommender, Shares
from hkjax.models.devices import ONE, Devices
from hkjax.models.dropout import dropout
from hkjax.models.hakg_config import HAKGConfig
from hkjax.models.hakg_inputs import HAKGInputs, make_inputs
from hkjax.models.losses import angle_loss, contrastive_loss, cosines, unit_rows
from hkjax.precision import full_precision


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

    Where `devices` divides tables, what is [users, d], [entities, d] or [items, d] below is this
    device's rows of it.

    Attributes:
        config: the choices.
        n_users, n_items, n_entities, n_relations: sizes, relations without their inverses.
        devices: those that share edges, interactions and pairs, and perhaps tables.
    """

    config: HAKGConfig
    n_users: int
    n_items: int
    n_entities: int
    n_relations: int
    devices: Devices = ONE

    def setup(self) -> None:
        c, xavier = self.config, nn.initializers.xavier_uniform()
        limit = (6 / (self.n_users + self.n_entities + c.dim)) ** 0.5
        # Users and entities are one matrix to the initialisation, as in the official code.
        rows = self.devices.rows
        self.user = self.param("user", _uniform(limit), (rows(self.n_users), c.dim))
        self.entity = self.param("entity", _uniform(limit), (rows(self.n_entities), c.dim))
        self.relation = self.param("relation", xavier, (2 * self.n_relations, c.dim))
        if c.dual_items:
            self.item = self.param("item", xavier, (rows(self.n_items), c.dim))
        if c.dual_items and c.gate:
            shape = (c.layers, c.dim, c.dim)
            self.item_gate, self.entity_gate = (
                self.param(name, _uniform(c.dim**-0.5), shape) for name in ("item_gate", "entity_gate")
            )

    def initial(self) -> Embeddings:
        """Layer 0; without dual items, the collaborative side is that of the entities."""
        item = self.item if self.config.dual_items else self.of_items(self.entity)
        return Embeddings(self.user, self.entity, item)

    def of_items(self, entity: jax.Array) -> jax.Array:
        """The rows of the items, of those of all entities."""
        return self.devices.look_up(lambda entity: self.devices.own(entity[: self.n_items]), [entity])

    def messages(self, entity: jax.Array, inputs: HAKGInputs) -> jax.Array:
        """The mean message of each entity's edges: [entities, d], 0 without one, from entity [entities, d]."""
        edges, relation, devices, n = inputs.edges, inputs.relation, self.devices, self.n_entities
        ends, numbers = jnp.stack([edges.rows, edges.columns]), jnp.arange(2 * self.n_relations)
        hh, tt = devices.all(jnp.sum(entity**2, axis=-1)).at[ends].get(mode="clip")
        at_ends = partial(relations.entries, nodes=ends, relation=relation)
        hr, tr = devices.contract(at_ends, [entity @ self.relation.T], [numbers])
        rr = jnp.sum(self.relation**2, axis=-1)[relation]
        ht = devices.contract(lambda entity: sparse.edge_products(entity, entity, edges), [entity])
        gram = message.Gram(*(checkpoint_name(x, "edge") for x in message.Gram(hh, tt, rr, ht, hr, tr)))
        alpha, beta, gamma = (checkpoint_name(x, "edge") for x in message.of_edges(self.coordinates, gram))
        total = devices.scatter(segment_sum(alpha, edges.rows, n))[:, None] * entity
        by_relation = partial(relations.sums, values=gamma, rows=edges.rows, relation=relation, n_rows=n)
        total += devices.add_up(by_relation, [], [numbers]) @ self.relation
        total += devices.add_up(lambda entity: sparse.weighted_sum(beta, entity, edges, n), [entity])
        count = devices.scatter(segment_sum(jnp.ones_like(alpha), edges.rows, n))
        return devices.complete(total) / jnp.maximum(devices.complete(count), 1)[:, None]

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
        entity = self.of_items(x.entity)
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
            inputs = inputs.sample(self.devices.key_of_share(sample_key), c.edge_keep, c.interaction_keep)
            keys = jnp.stack(dropout_keys)
        scale = n_all / inputs.interactions.rows.shape[0]

        def advance(carry: tuple[Embeddings, Embeddings], layer: Any) -> tuple[tuple[Embeddings, Embeddings], None]:
            x, total = carry
            gates, key = layer
            x = self.layer(x, inputs, gates, scale)
            if key is not None and c.message_dropout:
                of_tables = jax.random.split(self.devices.key_of_rows(key), 3)
                x = Embeddings(*map(partial(dropout, rate=c.message_dropout), of_tables, x))
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
        entity, interactions, devices = self.messages(x.entity, inputs), inputs.interactions, self.devices
        weights = jnp.full(interactions.rows.shape[0], scale, entity.dtype)
        user = devices.add_up(
            lambda item: sparse.weighted_sum(weights, item, interactions, self.n_users), [self.fuse(x, gates)]
        )
        user = devices.complete(user) / devices.own(inputs.degree, fill=1)[:, None]
        if not self.config.dual_items:
            return Embeddings(user, entity, self.of_items(entity))
        item = devices.add_up(
            lambda user: sparse.weighted_sum_transposed(weights, user, interactions, self.n_items), [x.user]
        )
        item = devices.complete(item)
        if self.config.item_aggregation == "mean":
            item = item / devices.own(inputs.popularity, fill=1)[:, None]
        return Embeddings(user, entity, item)

    def angle(self, inputs: HAKGInputs, key: jax.Array) -> jax.Array:
        """The angle loss on layer 0."""
        c, devices = self.config, self.devices
        x = on_ball(self.entity) if c.angle_space == "ball" else self.entity
        apex, other = inputs.pairs.rows, inputs.pairs.columns
        if c.angle_mask:
            bits = jax.random.bits(devices.key_of_share(key), (apex.size, -(-c.dim // 32)), jnp.uint32)
            grams = devices.contract(lambda x, at: masked_gram(x, apex, other, bits, at), [x], [jnp.arange(c.dim)])
            xx, xy, yy = grams.T
        else:
            square = devices.all(jnp.sum(x**2, axis=-1))
            xx, yy = square.at[jnp.stack([apex, other])].get(mode="clip")
            xy = devices.contract(lambda x: sparse.edge_products(x, x, inputs.pairs), [x])
        angle = cones.angle_at_apex_of if c.angle == "exact" else cones.clipped_angle_of
        losses = angle_loss(angle(xx, xy, yy), cones.half_aperture_of(xx, c.aperture))
        real = apex < self.n_entities
        mean_size = devices.sum(real.sum()) / devices.sum(jnp.ones(()))
        return jnp.sum(jnp.where(real, losses, 0)) / jnp.maximum(mean_size, 1)

    def ranking(self, x: Embeddings, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> jax.Array:
        """The ranking loss of the rows' liked items against drawn ones."""
        users, example = batch["user"], batch["example"]
        negative = draw_unseen(key, inputs.histories, users, example, self.config.negatives, self.n_items)
        user = self.devices.look_up(lambda user: user[users], [unit_rows(x.user)])
        cosines_of = partial(cosines, positive=batch["item"], negative=negative)
        of_tables = [self.devices.contract(cosines_of, [unit_rows(table)], [user]) for table in self.tables(x)]
        return jnp.mean(batch["weight"] * contrastive_loss(of_tables, self.config.margin))

    def loss(self, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """The ranking loss, and the angle loss."""
        c = self.config
        dropout_key, draw_key, mask_key = jax.random.split(key, 3)
        ranking = self.ranking(self.propagate(inputs, dropout_key), inputs, batch, draw_key)
        angle = self.angle(inputs, mask_key) if c.angle_weight else jnp.zeros(())
        loss = ranking + c.angle_weight * angle
        return loss, {"loss": loss, "ranking": ranking, "angle": angle}

    def tables(self, x: Embeddings) -> list[jax.Array]:
        """The item tables that are scored, [items, d] each."""
        entity = self.of_items(x.entity)
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
    inputs = make_inputs(config, data)
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)

    def loss_of(module: HAKG) -> Callable[..., Any]:
        return full_precision(partial(module.apply, method="loss"))

    def encode_of(module: HAKG) -> Callable[..., Any]:
        return full_precision(partial(module.apply, method="encode"))

    def split(n: int, devices: Devices) -> Shares:
        share = module.clone(devices=devices)
        return Shares(*inputs.divide(n), loss_of(share), encode_of(share), ("user", "entity", "item"))

    liked = data.train.positives()
    return Recommender(
        inputs=inputs,
        batches=stratify({"user": liked.users, "item": liked.items}, batch_size),
        init=lambda key: module.init(key, inputs, method="encode"),
        loss=loss_of(module),
        encode=encode_of(module),
        score=lambda r, users, items: jnp.sum(r.user[users] * r.item[items], axis=-1),
        rank_scores=full_precision(lambda r, users: r.user[users] @ r.item.T),
        split=split,
    )


def _uniform(limit: float) -> Callable[..., jax.Array]:
    return partial(jax.random.uniform, minval=-limit, maxval=limit)
