"""LightGCN and BPR-MF: what collaborative filtering reaches without a knowledge graph.

LightGCN is "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation" (He et
al., SIGIR 2020, arXiv 2002.02126). Without a layer it is matrix factorisation trained on the BPR
loss (Rendle et al., UAI 2009, arXiv 1205.2618).
"""

import dataclasses
from functools import partial
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.data.sampling import draw_unseen, make_histories, stratify
from hkjax.graph import sparse
from hkjax.models.base import Batch, Metrics, Params, Recommender, Shares
from hkjax.models.devices import ONE, Devices
from hkjax.precision import full_precision
from hkjax.ranges import Checked, Count, Range, Weight


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
    """Builds LightGCN for a data set with liked rows; rows with label 0 are not used.

    Args:
        config: the choices.
        data: the interactions.
        batch_size: liked rows per training step, each with one drawn item.

    Raises:
        InputError: a user liked every item.
    """
    liked = data.train.positives()
    histories = make_histories(liked.users, liked.items, data.n_users, data.n_items)
    edges, _ = sparse.make_edges(liked.users, liked.items)
    users, items = (np.bincount(ends) for ends in (liked.users, liked.items))
    inputs: dict[str, Any] = {
        "edges": edges,
        "weights": jnp.asarray(1 / np.sqrt(users[edges.rows] * items[edges.columns]), jnp.float32),
        "histories": histories,
    }
    xavier = jax.nn.initializers.xavier_uniform()

    def init(key: jax.Array) -> dict[str, jax.Array]:
        keys = jax.random.split(key)
        return {
            "user": xavier(keys[0], (data.n_users, config.dim)),
            "item": xavier(keys[1], (data.n_items, config.dim)),
        }

    def encode(params: Params, inputs: dict, devices: Devices = ONE) -> dict[str, jax.Array]:
        """The mean of all layers."""
        weights, edges = inputs["weights"], inputs["edges"]
        user, item = total = params["user"], params["item"]
        for _ in range(config.layers):
            sums = (
                devices.add_up(lambda item: sparse.weighted_sum(weights, item, edges, data.n_users), [item]),
                devices.add_up(lambda user: sparse.weighted_sum_transposed(weights, user, edges, data.n_items), [user]),
            )
            user, item = map(devices.complete, sums)
            total = total[0] + user, total[1] + item
        return {"user": total[0] / (config.layers + 1), "item": total[1] / (config.layers + 1)}

    def loss(
        params: Params, inputs: dict, batch: Batch, key: jax.Array, devices: Devices = ONE
    ) -> tuple[jax.Array, Metrics]:
        users, items = batch["user"], batch["item"]
        other = draw_unseen(key, inputs["histories"], users, batch["example"], 1, data.n_items)[:, 0]

        def rows(x: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
            return (
                devices.look_up(lambda user: user[users], [x["user"]]),
                *devices.look_up(lambda item: jnp.stack([item[items], item[other]]), [x["item"]]),
            )

        user, liked, drawn = rows(encode(params, inputs, devices))
        difference = jnp.sum(user * (liked - drawn), axis=-1)
        squares = sum(jnp.sum(row**2, axis=-1) for row in rows(params)) / 2
        ranking = jnp.mean(batch["weight"] * jax.nn.softplus(-difference))
        value = ranking + config.l2 * jnp.mean(batch["weight"] * squares)
        return value, {"loss": value, "ranking": ranking}

    def score(x: dict[str, jax.Array], users: jax.Array, items: jax.Array) -> jax.Array:
        return jnp.sum(x["user"][users] * x["item"][items], axis=-1)

    def split(n: int, devices: Devices) -> Shares:
        divided = {
            "edges": sparse.divide_edges(edges, n),
            "weights": jnp.asarray(sparse.divide(inputs["weights"], n, 0)),
        }
        axes = {"histories": None, **jax.tree.map(lambda _: 0, divided)}
        functions = partial(loss, devices=devices), partial(encode, devices=devices)
        return Shares({**inputs, **divided}, axes, *functions, ("user", "item"))

    return Recommender(
        inputs=inputs,
        batches=stratify({"user": liked.users, "item": liked.items}, batch_size),
        init=init,
        loss=loss,
        encode=encode,
        score=score,
        rank_scores=full_precision(lambda x, users: x["user"][users] @ x["item"].T),
        split=split,
    )
