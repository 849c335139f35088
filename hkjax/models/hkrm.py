"""HKRM: which attribute fields matter to a user, and which to an item.

Equations are numbered as in "A Hierarchical Knowledge-based Joint Learning Framework for
Recommendation" (Sun, Ni, Yang; CNCI 2020, DOI 10.23977/CNCI2020076). Throughout, n is the number of
attribute fields, d the embedding size, a *query* the history of items that a user liked in train,
and o_j the sum of the embeddings of an item's values in field j.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from hkjax.data.dataset import Dataset
from hkjax.data.fields import attribute_fields
from hkjax.data.sampling import stratify
from hkjax.errors import InputError
from hkjax.graph import sparse
from hkjax.graph.segment import segment_mean, segment_softmax, segment_sum
from hkjax.models.base import Batch, Metrics, Recommender, Shares
from hkjax.models.devices import ONE, Devices
from hkjax.models.hkrm_config import HKRMConfig
from hkjax.models.hkrm_inputs import HKRMInputs, make_inputs
from hkjax.models.proximity import (
    cross_entropy,
    kl_divergence,
    proximity_log_softmax,
    proximity_logits,
    proximity_softmax,
    relate,
)
from hkjax.precision import full_precision


class Side(NamedTuple):
    """One side of the model, the queries or the targets of B rows.

    Attributes:
        item_level: q_s or t_s, [B, d].
        probabilities: P(A|q) or P^(A|t), [B, n].
    """

    item_level: jax.Array
    probabilities: jax.Array


class HKRMRepresentation(NamedTuple):
    """All that ranking and explaining need.

    Attributes:
        user, item: [users, d] and [items, d]; eq. 10 is their inner product.
        bias: [items].
        preference: P(A|q) of each user, [users, n].
        importance: P^(A|t) of each item, [items, n].
    """

    user: jax.Array
    item: jax.Array
    bias: jax.Array
    preference: jax.Array
    importance: jax.Array


class HKRM(nn.Module):
    """Names HKRM's parameters and applies the equations to them.

    Where `devices` divides tables, the entity table, o of all items [items * n, d] and what `encode`
    returns are this device's rows of them.

    Attributes:
        config: the choices.
        n_items, n_fields: sizes I and n.
        n_entities: rows of the entity table, items first.
        n_positives: rows of all histories together.
        devices: those that share the values of the fields, and perhaps tables.
    """

    config: HKRMConfig
    n_items: int
    n_fields: int
    n_entities: int
    n_positives: int
    devices: Devices = ONE

    def setup(self) -> None:
        c, xavier, zeros = self.config, nn.initializers.xavier_uniform(), nn.initializers.zeros
        matrix = () if c.relation == "diagonal" else (c.dim,)
        self.entity = self.param("entity", xavier, (self.devices.rows(self.n_entities), c.dim))
        self.relation = self.param("relation", xavier, (self.n_fields, c.dim, *matrix))
        self.empty_query = self.param("empty_query", nn.initializers.normal(0.1), (c.dim,))
        self.hidden, self.output = nn.Dense(c.dim), nn.Dense(c.dim)
        n_weights = {"item": self.n_items, "interaction": self.n_positives, "uniform": 0}[c.query_weight]
        if n_weights:
            self.query_weight = self.param("query_weight", nn.initializers.uniform(1.0), (n_weights,))
        if c.item_bias:
            self.bias = self.param("bias", zeros, (self.n_items,))

    def attribute_values(self, inputs: HKRMInputs) -> jax.Array:
        """o_j of every item (eq. 3): [items * n, d]."""
        ones = jnp.ones(inputs.values.rows.shape[0], self.entity.dtype)

        def sums(entity: jax.Array) -> jax.Array:
            return sparse.weighted_sum(ones, entity, inputs.values, self.n_items * self.n_fields)

        return self.devices.complete(self.devices.add_up(sums, [self.entity]))

    def targets(self, inputs: HKRMInputs, values: jax.Array, items: jax.Array) -> tuple[Side, jax.Array]:
        """t_s, P^(A|t) and its logarithm for the items [B] (eq. 1 and 5), given o of all items [items * n, d]."""
        vectors = self.devices.look_up(lambda entity: entity[items], [self.entity])
        fields = items[:, None] * self.n_fields + jnp.arange(self.n_fields)
        of_items = self.devices.look_up(lambda values: values[fields], [values])
        logits = jax.vmap(proximity_logits, (0, None, 0))(of_items, self.relation, vectors)
        counted = self.counted(inputs, items)
        return Side(vectors, proximity_softmax(logits, counted)), proximity_log_softmax(logits, counted)

    def counted(self, inputs: HKRMInputs, items: jax.Array) -> jax.Array:
        """The fields [..., n] that take part in the softmaxes of these items."""
        if self.config.missing_fields == "mask":
            return inputs.present[items]
        return jnp.ones((*items.shape, self.n_fields), bool)

    def queries(
        self, inputs: HKRMInputs, values: jax.Array, users: jax.Array, layout: Batch, left_out: jax.Array
    ) -> Side:
        """q_s and P(A|q) of the users [B] (eq. 1, 2 and 4).

        Args:
            inputs: the graph and the histories.
            values: o of all items, [items * n, d].
            users: int [B].
            layout: `lane` and `slot` [places], room for each user's history.
            left_out: int [B], an item to leave out of each history, or -1.
        """
        lane, slot, size = layout["lane"], layout["slot"], users.shape[0]
        owner = users[lane]
        place = jnp.minimum(inputs.start[owner] + slot, self.n_positives - 1)
        items = inputs.history[place]
        kept = (slot < inputs.length[owner]) & (items != left_out[lane])
        count = segment_sum(kept.astype(self.entity.dtype), lane, size)
        share = 1 / jnp.maximum(count, 1)
        weights = self.weights(items, place, kept, lane, share)
        vectors = self.devices.look_up(
            lambda entity: segment_sum(weights[:, None] * entity[items], lane, size), [self.entity]
        )
        vectors = jnp.where(count[:, None] > 0, vectors, self.empty_query)
        logits = self.place_logits(values, items, lane, vectors)
        counted = self.counted(inputs, items)
        if self.config.pooling == "mean":
            softmaxes = proximity_softmax(logits, counted)
            pooled = segment_mean(softmaxes, lane, size, kept)
        else:
            fields = jnp.broadcast_to(lane[:, None], logits.shape)
            mask = counted & kept[:, None]
            joint = segment_softmax(logits.reshape(-1), fields.reshape(-1), size, mask.reshape(-1))
            pooled = segment_sum(joint.reshape(logits.shape), lane, size)
        # An empty history, and under `joint` one without any field, leave nothing to pool.
        empty = pooled.sum(-1, keepdims=True) == 0
        return Side(vectors, jnp.where(empty, 1 / self.n_fields, pooled))

    def weights(
        self, items: jax.Array, place: jax.Array, kept: jax.Array, lane: jax.Array, share: jax.Array
    ) -> jax.Array:
        """w of eq. 2: softmax of p_i / m over each history, [places]."""
        if self.config.query_weight == "uniform":
            return jnp.where(kept, share[lane], 0)
        logits = self.query_weight[items if self.config.query_weight == "item" else place]
        return segment_softmax(logits * share[lane], lane, share.shape[0], kept)

    def place_logits(self, values: jax.Array, items: jax.Array, lane: jax.Array, vectors: jax.Array) -> jax.Array:
        """o_j . R_j . q_s of every place [places, n]: `proximity_logits`, with R_j q_s once per lane."""
        keys = jax.vmap(relate, (None, 0))(self.relation, vectors)

        def products(values: jax.Array, keys: jax.Array) -> jax.Array:
            # One field at a time: no intermediate of the size [places, n, d].
            fields = [(values[items * self.n_fields + j] * keys[:, j][lane]).sum(-1) for j in range(self.n_fields)]
            return jnp.stack(fields, axis=-1)

        return self.devices.contract(products, [values], [keys])

    def combine(self, side: Side) -> jax.Array:
        """The vector [B, d] whose inner product with the other side's is eq. 10.

        Eq. 10's four terms factor: q_s.t_s + q_A.t_A + q_s.t_A + q_A.t_s = (q_s + q_A).(t_s + t_A).
        The second level is q_A = MLP(P(A|q)) of eq. 6 and 7.
        """
        if self.config.levels == "item":
            return side.item_level
        attribute_level = self.output(nn.tanh(self.hidden(side.probabilities)))
        return attribute_level if self.config.levels == "attribute" else side.item_level + attribute_level

    def loss(self, inputs: HKRMInputs, batch: Batch) -> tuple[jax.Array, Metrics]:
        """Eq. 13 and its parts, as means over the batch's lanes."""
        c = self.config
        values = self.attribute_values(inputs)
        left_out = batch["item"] if c.leave_one_out else jnp.full_like(batch["item"], -1)
        query = self.queries(inputs, values, batch["user"], batch, left_out)
        target, log_importance = self.targets(inputs, values, batch["item"])
        logits = (self.combine(query) * self.combine(target)).sum(-1) + self.biases()[batch["item"]]
        labels = batch["label"].astype(logits.dtype)
        entropy = jnp.mean(batch["weight"] * optax.sigmoid_binary_cross_entropy(logits, labels))
        measure = kl_divergence if c.divergence == "kl" else cross_entropy
        divergences = measure(query.probabilities, log_importance, self.counted(inputs, batch["item"]))
        divergence = jnp.mean(batch["weight"] * labels * divergences)
        norm = self.devices.sum_of_rows(jnp.sum(self.entity**2))
        norm += jnp.sum(self.relation**2) + jnp.sum(self.biases() ** 2)
        loss = entropy + c.divergence_weight * divergence + c.l2 * norm
        return loss, {"loss": loss, "cross_entropy": entropy, "divergence": divergence}

    def encode(self, inputs: HKRMInputs) -> HKRMRepresentation:
        """The representation of all users and items."""
        values = self.attribute_values(inputs)
        users, items = (self.devices.own(jnp.arange(n)) for n in (inputs.start.size, self.n_items))
        query = self.queries(inputs, values, users, inputs.everyone, jnp.full_like(users, -1))
        target, _ = self.targets(inputs, values, items)
        bias = self.devices.own(self.biases())
        return HKRMRepresentation(
            self.combine(query), self.combine(target), bias, query.probabilities, target.probabilities
        )

    def biases(self) -> jax.Array:
        return self.bias if self.config.item_bias else jnp.zeros(self.n_items, self.entity.dtype)


def hkrm(config: HKRMConfig, data: Dataset, batch_size: int) -> Recommender:
    """Builds HKRM for a data set with labelled rows and attribute fields.

    Args:
        config: the choices.
        data: the interactions, the graph, and the fields' relations in `data.fields`.
        batch_size: rows per training step.

    Raises:
        InputError: fields are missing or unknown, or no train row has label 0 or none has label 1.
    """
    fields = attribute_fields(data.triples, data.n_items, data.fields, data.names.relations)
    liked = data.train.positives()
    if not 0 < liked.users.size < data.train.users.size:
        raise InputError("HKRM learns from train rows of both labels: found only one")
    inputs = make_inputs(fields, liked, data.n_users, data.n_items)
    module = HKRM(config, data.n_items, len(fields.names), len(fields.entities), liked.users.size)

    def split(n: int, devices: Devices) -> Shares:
        share = module.clone(devices=devices)
        return Shares(*inputs.divide(n), loss_of(share), encode_of(share), ("entity",))

    def loss_of(module: HKRM) -> Callable[..., Any]:
        apply: Callable[..., Any] = module.apply
        return full_precision(lambda params, inputs, batch, key: apply(params, inputs, batch, method="loss"))

    def encode_of(module: HKRM) -> Callable[..., Any]:
        return full_precision(partial(module.apply, method="encode"))

    columns = {"user": data.train.users, "item": data.train.items, "label": data.train.labels}
    return Recommender(
        inputs=inputs,
        batches=stratify(columns, batch_size, sizes=np.asarray(inputs.length)[data.train.users]),
        init=lambda key: module.init(key, inputs, method="encode"),
        loss=loss_of(module),
        encode=encode_of(module),
        score=lambda r, users, items: (r.user[users] * r.item[items]).sum(-1) + r.bias[items],
        rank_scores=full_precision(lambda r, users: r.user[users] @ r.item.T + r.bias),
        split=split,
    )
