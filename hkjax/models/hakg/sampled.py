"""HAKG's losses on neighbours drawn at random: their cost depends on the batch and not on the graph.

Every mean over a node's neighbours is estimated from some of them: at most `fan_outs[0]` of a node of the batch,
`fan_outs[1]` of each of these, and so on. Of few neighbours the fraction is drawn that a step on the whole graph keeps.
Given the previous layer, means over interactions are unbiased; through functions that are not linear in it (messages,
gates, normalisation) a bias remains. Negatives come from a pool. The angle loss is over as many random pairs as rows.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.models.base import Batch
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, Neighbourhoods
from hkjax.models.hakg.losses import angle_points, contrastive_loss, pair_losses, unit_factors
from hkjax.models.hakg.message import message_of
from hkjax.models.hakg.parameters import HAKGParameters
from hkjax.models.hakg.propagation import dropout_and_normalize, fuse, sum_layers
from hkjax.ops.lookup import take_relations, take_rows
from hkjax.ops.messages import row_messages
from hkjax.ops.neighbours import draw_neighbours, is_neighbour
from hkjax.ops.pairs import score_samples
from hkjax.ops.rows import row_dot
from hkjax.ops.sampling import draw_ids, draw_pool
from hkjax.ops.segment import PADDING_ROW

# Layers 0, 1, ... of nodes [n], each [n, d].
Layers = list[jax.Array]


class Walks(NamedTuple):
    """Random walks from nodes, and the layers that they give.

    Attributes:
        config: the choices.
        parameters: the trained arrays.
        inputs: the model's inputs, with adjacency lists.
    """

    config: HAKGConfig
    parameters: HAKGParameters
    inputs: HAKGInputs

    @property
    def lists(self) -> Neighbourhoods:
        """The tails of entities and the users of items."""
        assert self.inputs.neighbourhoods is not None, "the inputs are not those of model.sampling=neighbours"
        return self.inputs.neighbourhoods

    def users(self, key: jax.Array, users: jax.Array, fan_outs: Sequence[int]) -> Layers:
        """Computes layers 0 to len(fan_outs) of users [n]."""
        start = take_rows(self.parameters.user, users)
        if not fan_outs:
            return [start]
        draw_key, walk_key, layers_key = jax.random.split(key, 3)
        draw = draw_neighbours(draw_key, self.inputs.exclusions, users, fan_outs[0], self.config.interaction_keep)
        seen = []
        for k, (entity, item) in enumerate(zip(*self.items(walk_key, draw.ids.reshape(-1), fan_outs[1:]), strict=True)):
            gates = jax.tree.map(lambda w, k=k: w[k], self.parameters.gates)
            seen.append(draw.unbiased_mean(fuse(self.config, gates, entity, item)))
        return [start, *self._dropout_and_normalize(layers_key, seen)]

    def items(
        self, key: jax.Array, items: jax.Array, fan_outs: Sequence[int]
    ) -> tuple[Layers, Sequence[jax.Array | None]]:
        """Computes layers of items [n], as entities and as collaborative embeddings, None without dual items."""
        entity_key, draw_key, walk_key, layers_key = jax.random.split(key, 4)
        entity = self.entities(entity_key, items, fan_outs)
        if self.parameters.item is None:
            return entity, [None] * len(entity)
        start = take_rows(self.parameters.item, items)
        if not fan_outs:
            return entity, [start]
        draw = draw_neighbours(draw_key, self.lists.users, items, fan_outs[0], self.config.interaction_keep)
        met = [draw.unbiased_mean(user) for user in self.users(walk_key, draw.ids.reshape(-1), fan_outs[1:])]
        if self.config.item_aggregation == "sum":
            met = [mean * self.lists.users.length[items][:, None] for mean in met]
        return entity, [start, *self._dropout_and_normalize(layers_key, met)]

    def entities(self, key: jax.Array, entities: jax.Array, fan_outs: Sequence[int]) -> Layers:
        """Computes layers of entities [n]."""
        layers = [take_rows(self.parameters.entity, entities)]
        if not fan_outs:
            return layers
        draw_key, walk_key, layers_key = jax.random.split(key, 3)
        draw = draw_neighbours(draw_key, self.lists.tails, entities, fan_outs[0], self.config.edge_keep)
        relation = take_relations(self.parameters.relation, draw.attr.reshape(-1))
        tails = self.entities(walk_key, draw.ids.reshape(-1), fan_outs[1:])
        for layer_key, tail in zip(jax.random.split(layers_key, len(tails)), tails, strict=True):
            head = jnp.repeat(layers[-1], fan_outs[0], axis=0)
            layers += self._dropout_and_normalize(
                layer_key, [draw.mean(row_messages(message_of(self.config), head, tail, relation))]
            )
        return layers

    def _dropout_and_normalize(self, key: jax.Array, layers: Layers) -> Layers:
        """Applies dropout and normalisation, as configured."""
        return list(map(partial(dropout_and_normalize, self.config), layers, jax.random.split(key, len(layers))))


def sampled_losses(
    config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, batch: Batch, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Computes the ranking loss and the angle loss of a batch."""
    ranking_key, angle_key = jax.random.split(key)
    ranking = ranking_loss(config, Walks(config, p, inputs), batch, ranking_key)
    if not config.angle_weight:
        return ranking, jnp.zeros(())
    return ranking, angle_loss(config, p, inputs, batch["user"].size, angle_key)


@jax.named_scope("ranking loss")
def ranking_loss(config: HAKGConfig, walks: Walks, batch: Batch, key: jax.Array) -> jax.Array:
    """Computes the contrastive loss of the rows' positive items against `config.negatives` items of a pool.

    All rows share the pool's `config.negative_pool` items, since each needs a walk. Each row draws its own negatives
    from it; items that its user interacted with do not count.
    """
    pool_key, negatives_key, users_key, items_key = jax.random.split(key, 4)
    users, n_rows = batch["user"], batch["user"].size
    pool = draw_pool(pool_key, config.negative_pool, walks.inputs.item_degree.size)
    negative = draw_ids(negatives_key, n_rows * config.negatives, pool.size).reshape(n_rows, -1)
    met = is_neighbour(walks.inputs.exclusions, users, pool[negative])
    user = unit_factors(config, sum_layers(walks.users(users_key, users, config.fan_outs)))
    item_layers = walks.items(items_key, jnp.concatenate([batch["item"], pool]), config.fan_outs)
    tables = [unit_factors(config, sum_layers(layers)) for layers in item_layers if layers[0] is not None]
    positives = [row_dot(user, table[:n_rows]) for table in tables]
    # No cosine of -1 exceeds a margin.
    negatives = [jnp.where(met, -1, x) for x in score_samples(user, [t[n_rows:] for t in tables], negative)]
    scores = list(zip(positives, negatives, strict=True))
    return jnp.mean(batch["weight"] * contrastive_loss(scores, config.margin))


@jax.named_scope("angle loss")
def angle_loss(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, n: int, key: jax.Array) -> jax.Array:
    """Computes the mean angle loss of n random pairs."""
    draw_key, mask_key = jax.random.split(key)
    if not inputs.pairs.rows.size:
        return jnp.zeros(())
    drawn = draw_ids(draw_key, n, inputs.pairs.rows.size)
    apex, other = inputs.pairs.rows[drawn], inputs.pairs.columns[drawn]
    real = apex != PADDING_ROW
    x, y = (angle_points(config, take_rows(p.entity, ids)) for ids in (jnp.where(real, apex, 0), other))
    if config.angle_mask:
        mask = jax.random.bernoulli(mask_key, shape=x.shape)
        x, y = jnp.where(mask, x, 0), jnp.where(mask, y, 0)
    losses = pair_losses(config, row_dot(x, x), row_dot(x, y), row_dot(y, y))
    return jnp.sum(jnp.where(real, losses, 0)) / jnp.maximum(real.sum(), 1)
