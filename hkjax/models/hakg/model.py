"""HAKG: a knowledge graph propagated in hyperbolic space, fused with collaborative signals by a gate.

After "Hierarchy-Aware Knowledge Gated Network for Recommendation" (Du et al., SIGIR 2022, arXiv
2204.04959), its slides and its official code. Users, entities and items are kept as tangent vectors
at 0 of the Poincare ball of curvature -1; a point of the ball is their exponential. Aggregation at 0,
exp_0(mean(log_0(.))), is then a plain mean of tangent vectors. Only the messages of the knowledge graph's
edges and the angle loss compute on the ball.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.models.base import Batch, FoldIn, Metrics, Params, Recommender, shard_by_type
from hkjax.models.hakg import fold_in, full, sampled
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, make_inputs
from hkjax.models.hakg.neighbours import neighbours
from hkjax.models.hakg.parameters import HAKG, HAKGParameters
from hkjax.models.hakg.representation import encode
from hkjax.precision import full_precision

_LOSSES = {"full": full.losses, "neighbours": sampled.losses}


def loss(
    config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, batch: Batch, key: jax.Array
) -> tuple[jax.Array, Metrics]:
    """The ranking loss plus the weighted angle loss, and both."""
    of_ranking, of_angles = _LOSSES[config.sampling](config, p, inputs, batch, key)
    total = of_ranking + config.angle_weight * of_angles
    return total, {"loss": total, "ranking": of_ranking, "angle": of_angles}


def hakg(config: HAKGConfig, data: Dataset, batch_size: int) -> Recommender:
    """Builds HAKG for a data set with positive rows and a knowledge graph.

    Args:
        config: the choices.
        data: the interactions and the graph; rows with label 0 are not used.
        batch_size: positive rows per training step.

    Raises:
        InputError: no triple, or a user has every item as a positive.
    """
    inputs, positives = make_inputs(config, data), data.train.positives()
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)

    unpack: Callable[[Params], Any] = module.apply

    @full_precision
    def loss_of(params: Params, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        return loss(config, unpack(params), inputs, batch, key)

    return Recommender(
        inputs=inputs,
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, batch_size),
        init=module.init,
        loss=loss_of,
        encode=full_precision(lambda params, inputs: encode(config, unpack(params), inputs)),
        score_pairs=lambda r, users, items: jnp.sum(r.user[users] * r.item[items], axis=-1),
        score_all_items=full_precision(lambda r, users: r.user[users] @ r.item.T),
        shard=shard_by_type(inputs, tables=("user", "entity", *(["item"] if config.dual_items else []))),
        rows={
            "user": data.names.users,
            "item": data.names.items,
            "entity": data.names.entity_ids,
            "relation": [*data.names.relations, *(f"~{name}" for name in data.names.relations)],
        },
        fold_in=FoldIn(
            prepare=full_precision(lambda params, inputs: fold_in.prepare(config, unpack(params), inputs)),
            users=full_precision(partial(fold_in.fold_in, config)),
            attributes=full_precision(partial(fold_in.attributes, config)),
            items=full_precision(lambda *args: fold_in.predict_items(unpack, *args)),
            neighbours=full_precision(lambda params, *args: neighbours(config, unpack(params), *args))
            if config.dual_items
            else None,
        ),
    )
