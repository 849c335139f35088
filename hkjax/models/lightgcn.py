"""LightGCN and BPR-MF: collaborative filtering without a knowledge graph.

LightGCN is "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation" (He et al., SIGIR 2020,
arXiv 2002.02126). Without layers it is matrix factorisation trained on the BPR loss (Rendle et al., UAI 2009, arXiv
1205.2618).
"""

import dataclasses
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.models.base import Batch, FoldIn, Metrics, Params, Recommender, shard_by_type
from hkjax.ops.lookup import take_rows
from hkjax.ops.sampling import make_exclusions, sample_negatives
from hkjax.ops.sparse import make_edges, spmm, spmm_transposed
from hkjax.precision import full_precision
from hkjax.ranges import Checked, Count, Range, Weight
from hkjax.regression import ridge_regression


@dataclasses.dataclass(frozen=True)
class LightGCNConfig(Checked):
    """LightGCN's choices.

    Attributes:
        name: this model's name in a configuration.
        dim: embedding size d.
        layers: rounds of propagation L; 0 is BPR-MF.
        l2: weight of the mean squared norm of a row's three embeddings.
    """

    name: Literal["lightgcn"] = "lightgcn"
    dim: Count = 64
    layers: Annotated[int, Range(low=0)] = 3
    l2: Weight = 1e-4


def lightgcn(config: LightGCNConfig, data: Dataset, batch_size: int) -> Recommender:
    """Builds LightGCN for the positive rows of a data set; rows with label 0 are not used.

    Args:
        config: the choices.
        data: the interactions.
        batch_size: positive rows per training step, each with one sampled negative.

    Raises:
        InputError: a user has every item as a positive.
    """
    positives = data.train.positives()
    user_degree, item_degree = (np.bincount(x) for x in (positives.users, positives.items))
    weights = 1 / np.sqrt(user_degree[positives.users] * item_degree[positives.items])
    inputs: dict[str, Any] = {
        "interactions": make_edges(positives.users, positives.items, weights.astype(np.float32)),
        "exclusions": make_exclusions(positives.users, positives.items, data.n_users, data.n_items),
    }
    xavier = jax.nn.initializers.xavier_uniform()

    def init(key: jax.Array) -> dict[str, jax.Array]:
        keys = jax.random.split(key)
        return {
            "user": xavier(keys[0], (data.n_users, config.dim)),
            "item": xavier(keys[1], (data.n_items, config.dim)),
        }

    def layers(params: Params, inputs: dict[str, Any]) -> list[tuple[jax.Array, jax.Array]]:
        """Computes users [users, d] and items [items, d] of layers 0 to L."""
        edges, x = inputs["interactions"], [(params["user"], params["item"])]
        for _ in range(config.layers):
            user, item = x[-1]
            x.append(
                (spmm(edges.attr, item, edges, data.n_users), spmm_transposed(edges.attr, user, edges, data.n_items))
            )
        return x

    def encode(params: Params, inputs: dict[str, Any]) -> dict[str, jax.Array]:
        """Computes the mean of all layers: [users, d] and [items, d]."""
        users, items = zip(*layers(params, inputs), strict=True)
        return {"user": sum(users) / (config.layers + 1), "item": sum(items) / (config.layers + 1)}

    def prepare(params: Params, inputs: dict[str, Any]) -> dict[str, jax.Array]:
        """Computes what a history's items add to a user's layers 1 to L, and a map that predicts new users' layer 0."""
        edges, items = inputs["interactions"], [item for _, item in layers(params, inputs)]
        scale = 1 / jnp.sqrt(jnp.maximum(jnp.bincount(edges.columns, length=data.n_items), 1))[:, None]
        pooled = spmm(edges.attr, params["item"], edges, data.n_users)
        return {
            "user": params["user"],
            "first": params["item"] * scale,
            "others": sum(items[: config.layers], jnp.zeros_like(params["item"])) * scale,
            "map": ridge_regression(pooled, params["user"]),
        }

    def fold_in(
        prepared: dict[str, jax.Array],
        representation: dict[str, jax.Array],
        items: jax.Array,
        weights: jax.Array,
        ids: jax.Array | None,
    ) -> dict[str, jax.Array]:
        """Encodes users; a linear map predicts layer 0 of new ones from their history's layer 0."""
        length = jnp.maximum(weights.sum(-1, keepdims=True), 1e-12)

        def pooled(table: jax.Array) -> jax.Array:
            return (weights[..., None] * table[items]).sum(1) / jnp.sqrt(length)

        own = pooled(prepared["first"]) @ prepared["map"] if ids is None else prepared["user"][ids]
        return {**representation, "user": (own + pooled(prepared["others"])) / (config.layers + 1)}

    def loss(params: Params, inputs: dict[str, Any], batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        users, items = batch["user"], batch["item"]
        negatives = sample_negatives(key, inputs["exclusions"], users, batch["example"], 1, data.n_items)[:, 0]

        def rows(x: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
            positive, negative = take_rows(x["item"], jnp.stack([items, negatives]))
            return take_rows(x["user"], users), positive, negative

        user, positive, negative = rows(encode(params, inputs))
        difference = jnp.sum(user * (positive - negative), axis=-1)
        squares = sum(jnp.sum(row**2, axis=-1) for row in rows(params)) / 2
        ranking = jnp.mean(batch["weight"] * jax.nn.softplus(-difference))
        value = ranking + config.l2 * jnp.mean(batch["weight"] * squares)
        return value, {"loss": value, "ranking": ranking}

    return Recommender(
        inputs=inputs,
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, batch_size),
        init=init,
        loss=loss,
        encode=encode,
        score_pairs=lambda x, users, items: jnp.sum(x["user"][users] * x["item"][items], axis=-1),
        score_all_items=full_precision(lambda x, users: x["user"][users] @ x["item"].T),
        shard=shard_by_type(inputs, tables=("user", "item")),
        fold_in=FoldIn(prepare, full_precision(fold_in)),
        row_ids={"user": data.names.users, "item": data.names.items},
    )
