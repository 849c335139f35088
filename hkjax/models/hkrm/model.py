"""HKRM: which attribute fields matter to a user, and which to an item.

Equations are numbered as in "A Hierarchical Knowledge-based Joint Learning Framework for
Recommendation" (Sun, Ni, Yang; CNCI 2020, DOI 10.23977/CNCI2020076). Throughout,

    n      number of attribute fields
    d      embedding size
    query  a user's m positive items in train
    o_j    sum of the embeddings of an item's values in field j, [d]
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.data.fields import attribute_fields
from hkjax.errors import InputError
from hkjax.models.base import Batch, Metrics, Params, Recommender, shard_by_type
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.history import History, field_probabilities, query_weights, read_history
from hkjax.models.hkrm.inputs import HKRMInputs, make_inputs
from hkjax.models.hkrm.parameters import HKRM, HKRMParameters, affine
from hkjax.models.hkrm.proximity import (
    cross_entropy,
    kl_divergence,
    proximity_log_softmax,
    proximity_logits,
    proximity_softmax,
    relate,
)
from hkjax.ops.lookup import bag, local_rows, segment_scores, square_norm, take_rows
from hkjax.ops.sparse import spmm
from hkjax.precision import full_precision


class Side(NamedTuple):
    """One side of the model, the queries or the targets of B rows.

    Attributes:
        vector: the item level, q_s or t_s, [B, d].
        probabilities: P(A|q) or P^(A|t), [B, n].
    """

    vector: jax.Array
    probabilities: jax.Array


class HKRMRepresentation(NamedTuple):
    """What ranking and explaining need, computed once.

    Attributes:
        user, item: [users, d] and [items, d]; eq. 10 is their inner product, plus the bias.
        bias: [items].
        preference: P(A|q) of each user, [users, n].
        importance: P^(A|t) of each item, [items, n].
    """

    user: jax.Array
    item: jax.Array
    bias: jax.Array
    preference: jax.Array
    importance: jax.Array


def attribute_values(p: HKRMParameters, inputs: HKRMInputs) -> jax.Array:
    """o_j of every item (eq. 3): [items * n, d]."""
    ones = jnp.ones(inputs.values.rows.shape[0], p.entity.dtype)
    return spmm(ones, p.entity, inputs.values, inputs.field_mask.size)


def softmax_mask(config: HKRMConfig, inputs: HKRMInputs, items: jax.Array) -> jax.Array:
    """The fields [..., n] that take part in the softmaxes of the items [...]."""
    mask = inputs.field_mask[items]
    return mask if config.missing_fields == "mask" else jnp.ones_like(mask)


def target(
    config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, values: jax.Array, items: jax.Array
) -> tuple[Side, jax.Array]:
    """The side of the items [B] (eq. 1 and 5), and log P^(A|t) [B, n]; `values` [items * n, d] holds every o."""
    vector, n_fields = take_rows(p.entity, items), inputs.field_mask.shape[1]
    of_items = take_rows(values, items[:, None] * n_fields + jnp.arange(n_fields))
    logits = jax.vmap(proximity_logits, (0, None, 0))(of_items, p.relation, vector)
    mask = softmax_mask(config, inputs, items)
    return Side(vector, proximity_softmax(logits, mask)), proximity_log_softmax(logits, mask)


def query(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, values: jax.Array, history: History) -> Side:
    """The side of the histories, q_s (eq. 1) and P(A|q) (eq. 4); `values` [items * n, d] holds every o."""
    n_rows, n_fields = history.n_kept.shape[0], inputs.field_mask.shape[1]
    vector = bag(p.entity, history.item, query_weights(config, p, history), history.row, n_rows)
    vector = jnp.where(history.n_kept[:, None] > 0, vector, p.empty_query)
    related = jax.vmap(relate, (None, 0))(p.relation, vector)
    fields = history.item[:, None] * n_fields + jnp.arange(n_fields)
    logits = segment_scores(related, values, fields, history.row)
    return Side(vector, field_probabilities(config, logits, softmax_mask(config, inputs, history.item), history))


def combine(config: HKRMConfig, p: HKRMParameters, side: Side) -> jax.Array:
    """A side's vector, [B, d]; the inner product of both sides' vectors is eq. 10.

    Its four terms factor: q_s.t_s + q_A.t_A + q_s.t_A + q_A.t_s = (q_s + q_A).(t_s + t_A), where
    q_A = MLP(P(A|q)) is the attribute level (eq. 6 and 7).
    """
    if config.levels == "item":
        return side.vector
    attribute_level = affine(p.output, nn.tanh(affine(p.hidden, side.probabilities)))
    return attribute_level if config.levels == "attribute" else side.vector + attribute_level


def loss(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, batch: Batch) -> tuple[jax.Array, Metrics]:
    """Eq. 13 and its parts, as means over the batch's rows."""
    values, items = attribute_values(p, inputs), batch["item"]
    excluded = items if config.leave_one_out else jnp.full_like(items, -1)
    q = query(config, p, inputs, values, read_history(inputs, batch["user"], batch["layout"], excluded))
    t, log_importance = target(config, p, inputs, values, items)
    logits = (combine(config, p, q) * combine(config, p, t)).sum(-1) + p.bias[items]
    labels = batch["label"].astype(logits.dtype)
    entropy = jnp.mean(batch["weight"] * optax.sigmoid_binary_cross_entropy(logits, labels))
    measure = kl_divergence if config.divergence == "kl" else cross_entropy
    divergences = measure(q.probabilities, log_importance, softmax_mask(config, inputs, items))
    divergence = jnp.mean(batch["weight"] * labels * divergences)
    norm = square_norm(p.entity) + jnp.sum(p.relation**2) + jnp.sum(p.bias**2)
    total = entropy + config.divergence_weight * divergence + config.l2 * norm
    return total, {"loss": total, "cross_entropy": entropy, "divergence": divergence}


def encode(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs) -> HKRMRepresentation:
    """The representation of all users and items."""
    values = attribute_values(p, inputs)
    users, items = (local_rows(jnp.arange(n)) for n in (inputs.histories.start.size, inputs.field_mask.shape[0]))
    history = read_history(inputs, users, inputs.all_users_layout, jnp.full_like(users, -1))
    q, (t, _) = query(config, p, inputs, values, history), target(config, p, inputs, values, items)
    sides = combine(config, p, q), combine(config, p, t)
    return HKRMRepresentation(*sides, local_rows(p.bias), q.probabilities, t.probabilities)


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
    positives = data.train.positives()
    if not 0 < positives.users.size < data.train.users.size:
        raise InputError("HKRM learns from train rows of both labels: found only one")
    inputs = make_inputs(fields, positives, data.n_users, data.n_items)
    module = HKRM(config, data.n_items, len(fields.names), len(fields.entities), positives.users.size)
    columns = {"user": data.train.users, "item": data.train.items, "label": data.train.labels}

    unpack: Callable[[Params], Any] = module.apply

    @full_precision
    def loss_of(params: Params, inputs: HKRMInputs, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        del key
        return loss(config, unpack(params), inputs, batch)

    return Recommender(
        inputs=inputs,
        batches=bucket_by_length(columns, batch_size, lengths=np.asarray(inputs.histories.length)[data.train.users]),
        init=module.init,
        loss=loss_of,
        encode=full_precision(lambda params, inputs: encode(config, unpack(params), inputs)),
        score_pairs=lambda r, users, items: (r.user[users] * r.item[items]).sum(-1) + r.bias[items],
        score_all_items=full_precision(lambda r, users: r.user[users] @ r.item.T + r.bias),
        shard=shard_by_type(inputs, tables=("entity",)),
    )
