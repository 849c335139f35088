"""HAKG as a Recommender: a knowledge graph propagated in hyperbolic space, fused with collaborative signals by a gate.

After "Hierarchy-Aware Knowledge Gated Network for Recommendation" (Du et al., SIGIR 2022, arXiv 2204.04959), its slides
and its official code; `equations.py` has the formulas. Users, entities and items are kept as tangent vectors at 0 of
the Poincare ball of curvature -1; their exponentials are points of the ball. Aggregation at 0, exp_0(mean(log_0(.))),
is then a plain mean of tangent vectors. Only the messages of the graph's edges and the angle loss compute on the ball.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.models.base import Batch, FoldIn, Metrics, Params, Recommender, bind, shard_by_type
from hkjax.models.hakg import fold_in
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, make_inputs
from hkjax.models.hakg.losses import whole_graph_losses
from hkjax.models.hakg.parameters import HAKG, HAKGParameters
from hkjax.models.hakg.representation import HAKGRepresentation, encode
from hkjax.models.hakg.sampled import sampled_losses
from hkjax.precision import full_precision

_LOSSES = {"full": whole_graph_losses, "neighbours": sampled_losses}


def loss(
    config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, batch: Batch, key: jax.Array
) -> tuple[jax.Array, Metrics]:
    """Computes the ranking loss plus the weighted angle loss, and both."""
    ranking, angle = _LOSSES[config.sampling](config, p, inputs, batch, key)
    total = ranking + config.angle_weight * angle
    return total, {"loss": total, "ranking": ranking, "angle": angle}


def hakg(config: HAKGConfig, data: Dataset, batch_size: int) -> Recommender[Params, HAKGInputs, HAKGRepresentation]:
    """Builds HAKG for a data set with positive rows and a knowledge graph.

    Args:
        config: the choices.
        data: the interactions and the graph; rows with label 0 are not used.
        batch_size: positive rows per training step.

    Raises:
        InputError: there is no triple, or a user has every item as a positive.

    Example:
        >>> data = hkjax.synthetic_dataset(hkjax.SyntheticConfig(n_users=40), hkjax.DataConfig(), seed=0)
        >>> model = hkjax.hakg(hkjax.HAKGConfig(dim=8, layers=1, negatives=5), data, batch_size=64)
        >>> sorted(model.init(jax.random.key(0))["params"])
        ['entity', 'entity_gate', 'item', 'item_gate', 'relation', 'user']
    """
    inputs, positives = make_inputs(config, data), data.train.positives()
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)
    unpack: Callable[[Params], Any] = module.apply
    bound = partial(bind, config=config, unpack=unpack)
    return Recommender(
        inputs=inputs,
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, batch_size),
        init=module.init,
        loss=bound(loss),
        encode=bound(encode),
        score_pairs=lambda r, users, items: jnp.sum(r.user[users] * r.item[items], axis=-1),
        score_all_items=full_precision(lambda r, users: r.user[users] @ r.item.T),
        shard=shard_by_type(inputs, tables=("user", "entity", *(["item"] if config.dual_items else []))),
        row_ids={
            "user": data.names.users,
            "item": data.names.items,
            "entity": data.names.entity_ids,
            "relation": [*data.names.relations, *(f"~{name}" for name in data.names.relations)],
        },
        fold_in=FoldIn(
            prepare=bound(fold_in.prepare),
            encode_users=full_precision(partial(fold_in.encode_users, config)),
            score_attributes=full_precision(partial(fold_in.score_attributes, config)),
            predict_items=full_precision(partial(fold_in.predict_items, unpack)),
            score_co_users=bound(fold_in.score_co_users) if config.dual_items else None,
        ),
    )
