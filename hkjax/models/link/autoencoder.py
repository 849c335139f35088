"""LINK's learned part: a linear autoencoder of histories, trained by a sampled softmax on items left out of them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.models.base import Batch, Params
from hkjax.ops.lists import Lists, vector_sums
from hkjax.ops.lookup import take_rows

# Bounds of the share of a history that is encoded; the rest is to be found.
_LEAST_KEPT, _MOST_KEPT = 0.2, 0.8


class Sampler(NamedTuple):
    """The distribution that negatives are drawn from: q_j proportional to (d_j + 1)^power.

    Attributes:
        log_q: [items].
        cumulative: [items], ascending to 1.
    """

    log_q: jax.Array
    cumulative: jax.Array


def make_sampler(data: Dataset, power: float) -> Sampler:
    """Returns the distribution by the items' counts of positives in train."""
    counts = np.bincount(data.train.positives().items, minlength=data.n_items)
    q = (counts + 1.0) ** power
    q /= q.sum()
    return Sampler(jnp.asarray(np.log(q), jnp.float32), jnp.asarray(np.cumsum(q), jnp.float32))


def init_autoencoder(key: jax.Array, n_items: int, dim: int) -> Params:
    """Draws the vectors of items as sources and as targets; biases are 0."""
    keys = jax.random.split(key)
    source, target = (jax.random.normal(k, (n_items, dim)) / np.sqrt(dim) for k in keys)
    return {"source": source, "target": target, "item_bias": jnp.zeros((n_items, 1))}


def autoencoder_loss(
    params: Params, history: Lists, sampler: Sampler, batch: Batch, key: jax.Array, room: int, n_negatives: int
) -> jax.Array:
    """Computes the loss of finding the dropped items of histories from those kept.

    A user keeps items with a rate drawn between 0.2 and 0.8; the vector is their sum over the square root of their
    count. Each dropped item j costs log(1 + sum_n exp(s_n - log(S q_n) - s_j)), with S negatives n that the batch
    shares, drawn from q (Bengio and Senecal, 2008).

    Args:
        params: from `init_autoencoder`.
        history: the users' items.
        sampler: of negatives.
        batch: `user` [B] and `weight` [B].
        key: PRNG key.
        room: items of a history that are read, at random.
        n_negatives: S.
    """
    chosen, rate, kept_key, drawn = jax.random.split(key, 4)
    items, there = _some_items(history, batch["user"], chosen, room)
    share = jax.random.uniform(rate, (len(items), 1), minval=_LEAST_KEPT, maxval=_MOST_KEPT)
    kept = there & (jax.random.uniform(kept_key, items.shape) < share)
    dropped = there & ~kept & kept.any(axis=1, keepdims=True)
    z = jnp.einsum("bmd,bm->bd", take_rows(params["source"], items), kept.astype(jnp.float32))
    z = z / jnp.sqrt(jnp.maximum(kept.sum(1, keepdims=True), 1))
    negatives = jnp.searchsorted(sampler.cumulative, jax.random.uniform(drawn, (n_negatives,)))
    negatives = jnp.minimum(negatives, sampler.log_q.size - 1)
    own = jnp.einsum("bmd,bd->bm", take_rows(params["target"], items), z)
    own = own + take_rows(params["item_bias"], items)[..., 0]
    others = z @ take_rows(params["target"], negatives).T + take_rows(params["item_bias"], negatives)[:, 0]
    others = jax.nn.logsumexp(others - sampler.log_q[negatives] - jnp.log(n_negatives), axis=1, keepdims=True)
    losses = jnp.where(dropped, jax.nn.softplus(others - own), 0).sum(1)
    return jnp.mean(batch["weight"] * losses)


def _some_items(history: Lists, users: jax.Array, key: jax.Array, room: int) -> tuple[jax.Array, jax.Array]:
    """Returns random items of each user's history, [B, room], and which of them are there."""
    length = history.length[users][:, None]
    draws = jnp.where(history.slots < length, jax.random.uniform(key, (len(users), history.slots.size)), -1)
    best, slots = jax.lax.top_k(draws, min(room, history.slots.size))
    places = jnp.minimum(history.start[users][:, None] + slots, history.values.size - 1)
    return history.values[places], best >= 0


def product_sums(params: Params, history: Lists, users: jax.Array) -> jax.Array:
    """Sums the products of vectors, sum_i x_i e_i . o_j, for the histories of users [B] and all items j: [B, items].

    The root of the history's length and the bias, which training has, are left out: without them the score is linear
    in the history, and ranks as well beside the other parts (docs/results.md).
    """
    return vector_sums(history, users, params["source"]) @ params["target"].T


def product_sum(params: Params, history: Lists, user: jax.Array, item: jax.Array) -> jax.Array:
    """Computes `product_sums` for one user and one item."""
    return vector_sums(history, user[None], params["source"])[0] @ params["target"][item]


def users_to_learn_from(data: Dataset) -> dict[str, Any]:
    """Returns the users of at least two items as the columns of batches."""
    users, counts = np.unique(data.train.positives().users, return_counts=True)
    return {"user": users[counts > 1].astype(np.int32)}
