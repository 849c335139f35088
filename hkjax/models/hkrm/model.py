"""HKRM as a Recommender: the attribute fields that matter to a user, and to an item.

After "A Hierarchical Knowledge-based Joint Learning Framework for Recommendation" (Sun, Ni, Yang; CNCI 2020, DOI
10.23977/CNCI2020076); `equations.py` defines the formulas and the letters. A query is a user's positive items in train.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.data.fields import attribute_fields, field_of_relation
from hkjax.errors import InputError
from hkjax.models.base import Batch, FoldIn, Metrics, Params, Recommender, bind, shard_by_type
from hkjax.models.hkrm import fold_in
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.equations import attribute_loss, cross_entropy, kl_divergence, recommendation_loss
from hkjax.models.hkrm.inputs import HKRMInputs, make_inputs
from hkjax.models.hkrm.parameters import HKRM, HKRMParameters
from hkjax.models.hkrm.representation import HKRMRepresentation, encode
from hkjax.models.hkrm.sides import duet_vector, query, read_history, softmax_mask, target
from hkjax.models.hkrm.values import step_values
from hkjax.ops.lookup import square_norm, take_whole
from hkjax.precision import full_precision


def loss(
    config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, batch: Batch, key: jax.Array
) -> tuple[jax.Array, Metrics]:
    """Computes eq. 13 and its parts, as means over the batch's rows."""
    (query_values, target_values), items = step_values(config, p, inputs, key), batch["item"]
    excluded = items if config.leave_one_out else jnp.full_like(items, -1)
    q = query(config, p, inputs, query_values, read_history(inputs, batch["user"], batch["layout"], excluded))
    t, log_importance = target(config, p, inputs, target_values, items)
    logits = (duet_vector(config, p, q) * duet_vector(config, p, t)).sum(-1) + take_whole(p.bias, items)
    labels = batch["label"].astype(logits.dtype)
    entropy = jnp.mean(batch["weight"] * recommendation_loss(labels, logits))
    measure = kl_divergence if config.divergence == "kl" else cross_entropy
    divergences = measure(q.probabilities, log_importance, softmax_mask(config, inputs, items))
    divergence = jnp.mean(batch["weight"] * attribute_loss(labels, divergences))
    norm = square_norm(p.entity) + jnp.sum(p.relation**2) + jnp.sum(p.bias**2)
    total = entropy + config.divergence_weight * divergence + config.l2 * norm
    return total, {"loss": total, "cross_entropy": entropy, "divergence": divergence}


def _query_weight_rows(config: HKRMConfig, data: Dataset) -> list[str]:
    if config.query_weight != "interaction":
        return data.names.items
    order = np.argsort(data.train.positives().users, kind="stable")
    users, items, _ = data.train.positives().select(order)
    return [f"{data.names.users[user]} {data.names.items[item]}" for user, item in zip(users, items, strict=True)]


def hkrm(config: HKRMConfig, data: Dataset, batch_size: int) -> Recommender[Params, HKRMInputs, HKRMRepresentation]:
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
    inputs = make_inputs(config, fields, positives, data.n_users, data.n_items)
    module = HKRM(config, data.n_items, len(fields.names), len(fields.entities), positives.users.size)
    columns = {"user": data.train.users, "item": data.train.items, "label": data.train.labels}

    unpack: Callable[[Params], Any] = module.apply
    bound = partial(bind, config=config, unpack=unpack)
    fields_of_relations = jnp.asarray(field_of_relation(data.fields, data.names.relations))
    return Recommender(
        inputs=inputs,
        batches=bucket_by_length(columns, batch_size, lengths=np.asarray(inputs.histories.length)[data.train.users]),
        init=module.init,
        loss=bound(loss),
        encode=bound(encode),
        score_pairs=lambda r, users, items: (r.user[users] * r.item[items]).sum(-1) + r.bias[items],
        score_all_items=full_precision(lambda r, users: r.user[users] @ r.item.T + r.bias),
        shard=shard_by_type(inputs, tables=("entity",)),
        row_ids={
            "entity": [data.names.entity_ids[entity] for entity in fields.entities],
            "item": data.names.items,
            "relation": list(fields.names),
            "bias": data.names.items,
            "query_weight": _query_weight_rows(config, data),
        },
        fold_in=FoldIn(
            prepare=bound(fold_in.prepare),
            encode_users=full_precision(partial(fold_in.encode_users, config)),
            predict_items=full_precision(partial(fold_in.predict_items, unpack)),
            score_attributes=partial(fold_in.score_attributes, fields_of_relations),
        ),
    )
