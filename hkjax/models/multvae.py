"""MultVAE: a variational autoencoder of histories with a multinomial likelihood over all items.

"Variational Autoencoders for Collaborative Filtering" (Liang et al., WWW 2018, arXiv 1802.05814).
"""

import dataclasses
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.models.base import Batch, FoldIn, Metrics, Params, Recommender
from hkjax.ops.lists import Lists, dense_rows, make_lists, padded_lists
from hkjax.precision import full_precision
from hkjax.ranges import Checked, Count, Range, Weight

Inputs = dict[str, Lists]
_USERS_PER_BLOCK = 256


@dataclasses.dataclass(frozen=True)
class MultVAEConfig(Checked):
    """MultVAE's choices.

    Attributes:
        name: this model's name in a configuration.
        dim: size of the latent vector.
        hidden: size of the one hidden layer on either side.
        dropout: chance that an item of the history is not seen by the encoder.
        kl_weight: weight of the divergence from the prior, beta in the paper, without its annealing.
    """

    name: Literal["multvae"] = "multvae"
    dim: Count = 200
    hidden: Count = 600
    dropout: Annotated[float, Range(low=0, below=1)] = 0.5
    kl_weight: Weight = 0.2


def multvae(config: MultVAEConfig, data: Dataset, batch_size: int) -> Recommender:
    """Builds MultVAE for the positive rows of a data set.

    Args:
        config: the choices.
        data: the interactions.
        batch_size: users in a step.
    """
    positives = data.train.positives()
    users = np.unique(positives.users)
    sizes = {
        "encode": (data.n_items, config.hidden),
        "mean": (config.hidden, config.dim),
        "log_variance": (config.hidden, config.dim),
        "decode": (config.dim, config.hidden),
        "item": (data.n_items, config.hidden),
    }
    glorot = jax.nn.initializers.glorot_normal()

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key, len(sizes))
        weights = {name: glorot(k, shape) for k, (name, shape) in zip(keys, sizes.items(), strict=True)}
        rows = {"mean": config.dim, "log_variance": config.dim, "encode": config.hidden, "decode": config.hidden}
        return {**weights, "bias": {**{k: jnp.zeros(n) for k, n in rows.items()}, "item": jnp.zeros(data.n_items)}}

    @full_precision
    def loss(params: Params, inputs: Inputs, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        dropped, drawn = jax.random.split(key)
        x = dense_rows(inputs["history"], batch["user"], data.n_items)
        seen = jnp.where(jax.random.uniform(dropped, x.shape) >= config.dropout, x / (1 - config.dropout), 0)
        mean, log_variance = latent(params, seen, x)
        z = mean + jnp.exp(log_variance / 2) * jax.random.normal(drawn, mean.shape)
        likelihood = jnp.sum(x * jax.nn.log_softmax(logits(params, z)), axis=1)
        divergence = jnp.sum(jnp.exp(log_variance) + mean**2 - 1 - log_variance, axis=1) / 2
        value = jnp.mean(batch["weight"] * (config.kl_weight * divergence - likelihood))
        return value, {"loss": value, "divergence": jnp.mean(batch["weight"] * divergence)}

    def encode(params: Params, inputs: Inputs) -> dict[str, jax.Array]:
        def of_block(block: jax.Array) -> jax.Array:
            return hidden_of(params, dense_rows(inputs["history"], block, data.n_items))

        blocks = jnp.pad(jnp.arange(data.n_users), (0, -data.n_users % _USERS_PER_BLOCK)).reshape(-1, _USERS_PER_BLOCK)
        hidden = jax.lax.map(of_block, blocks).reshape(-1, config.hidden)[: data.n_users]
        return {"user": hidden, "item": params["item"], "bias": params["bias"]["item"]}

    def encode_users(
        params: Params, x: dict[str, jax.Array], items: jax.Array, weights: jax.Array, ids: jax.Array | None
    ) -> dict[str, jax.Array]:
        del ids
        rows = dense_rows(padded_lists(items, weights), jnp.arange(len(items)), data.n_items)
        return {**x, "user": hidden_of(params, rows)}

    return Recommender(
        inputs={"history": make_lists(positives.users, positives.items, np.ones(len(positives.users)), data.n_users)},
        batches=bucket_by_length({"user": users.astype(np.int32)}, batch_size),
        init=init,
        loss=loss,
        encode=full_precision(encode),
        score_pairs=lambda x, users, items: jnp.sum(x["user"][users] * x["item"][items], axis=-1) + x["bias"][items],
        score_all_items=full_precision(lambda x, users: x["user"][users] @ x["item"].T + x["bias"]),
        fold_in=FoldIn(lambda params, inputs: params, full_precision(encode_users)),
        row_ids={"item": data.names.items, "encode": data.names.items},
    )


def latent(params: Params, seen: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes mean and log variance of the latent vectors of histories.

    Args:
        params: the model's.
        seen: what the encoder sees of the histories, [B, items].
        x: the histories, by whose lengths it is scaled.
    """
    length = jnp.sqrt(jnp.maximum(jnp.sum(x**2, axis=1, keepdims=True), 1e-12))
    hidden = jnp.tanh((seen / length) @ params["encode"] + params["bias"]["encode"])
    mean = hidden @ params["mean"] + params["bias"]["mean"]
    return mean, hidden @ params["log_variance"] + params["bias"]["log_variance"]


def hidden_of(params: Params, x: jax.Array) -> jax.Array:
    """Computes the decoder's hidden layer for histories [B, items], at the latent mean."""
    return jnp.tanh(latent(params, x, x)[0] @ params["decode"] + params["bias"]["decode"])


def logits(params: Params, z: jax.Array) -> jax.Array:
    """Decodes latent vectors into the logits of all items, [B, items]."""
    return jnp.tanh(z @ params["decode"] + params["bias"]["decode"]) @ params["item"].T + params["bias"]["item"]
