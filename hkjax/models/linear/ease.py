"""EASE and EDLAE, whole or on each item's nearest candidates: ridge regressions of items on items."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.errors import InputError
from hkjax.models.base import Recommender
from hkjax.models.linear.config import EASEConfig
from hkjax.models.linear.equations import dropout_penalty, local_weights
from hkjax.models.linear.gram import Gram, gram_and_numbers, mean_diagonal, sub_gram, top_neighbours
from hkjax.models.linear.memory import Remember, compute_anew
from hkjax.models.linear.model import item_model
from hkjax.ops.lists import Neighbours, dense_rows
from hkjax.ops.sparse import Edges, make_edges, spmm, spmm_transposed
from hkjax.ops.top_k import top_k
from hkjax.precision import full_precision

# A dense matrix of users or of items, whichever are fewer, may have this many rows.
MOST_FOR_DENSE = 12_000
_TARGETS_PER_BLOCK = 256
_TARGETS_AT_ONCE = 8


def ease(config: EASEConfig, data: Dataset, batch_size: int = 0, remember: Remember = compute_anew) -> Recommender:
    """Builds EASE from the positives of train; the batch size counts for nothing.

    Raises:
        InputError: all items are candidates, and both they and the users are too many for a dense matrix.
    """
    del batch_size
    numbers = jnp.array([config.l2, config.dropout, config.item_power, config.target_power])
    arguments = partial(gram_and_numbers, remember, data, 2 * config.user_power, numbers)
    if config.candidates:
        return item_model(data, arguments, _solve_local_weights, config.candidates, {"k": config.candidates})
    users, k = _several_items(data), min(config.neighbours, data.n_items)
    if min(len(users), data.n_items) > MOST_FOR_DENSE:
        raise InputError(
            f"EASE on all {data.n_items:,} items takes a dense matrix of {min(len(users), data.n_items):,} rows; "
            "choose model.candidates=100, the nearest items of each"
        )
    if data.n_items <= len(users):
        return item_model(data, arguments, _solve_by_items, k, {"k": k})

    def with_users() -> dict[str, Any]:
        return {**arguments(), "users": _few_users(data, users, config.user_power)}

    return item_model(data, with_users, _solve_by_users, k, {"k": k, "n_users": len(users)})


def local_neighbours(
    gram: Gram, k: int, l2: jax.Array, dropout: jax.Array, item_power: jax.Array, target_power: jax.Array
) -> Neighbours:
    """Solves the regression of every item on its k nearest: those of the largest damped cosine."""
    n, scale = gram.degree.size, _scale(gram, item_power)
    penalty = _penalty(gram, scale, l2, dropout)
    damped = jnp.sqrt(gram.diagonal * scale**2 + penalty)
    candidates = top_neighbours(gram, k, _damped_cosine, scale, damped).sources

    def solve(item: tuple[jax.Array, jax.Array]) -> jax.Array:
        target, s = item
        there = s < n
        own = jnp.where(there, scale[jnp.minimum(s, n - 1)], 0)
        # The target is the last candidate, so that its column is read with the others.
        block = sub_gram(gram, jnp.append(s, target)) * jnp.outer(jnp.append(own, scale[target]), jnp.append(own, 1.0))
        weights = local_weights(block[:-1, :-1], block[-1, :-1], jnp.where(there, penalty[jnp.minimum(s, n - 1)], 1))
        return jnp.where(there, own * weights * jnp.maximum(gram.degree[target], 1) ** target_power, 0)

    targets = jnp.arange(n, dtype=jnp.int32)
    return Neighbours(candidates, jax.lax.map(solve, (targets, candidates), batch_size=_TARGETS_AT_ONCE))


def _scale(gram: Gram, item_power: jax.Array) -> jax.Array:
    return jnp.maximum(gram.degree, 1) ** -item_power


def _penalty(gram: Gram, scale: jax.Array, l2: jax.Array, dropout: jax.Array) -> jax.Array:
    diagonal = gram.diagonal * scale**2
    return l2 * mean_diagonal(diagonal) + dropout_penalty(diagonal, dropout)


def _damped_cosine(g: jax.Array, i: jax.Array, j: jax.Array, scale: jax.Array, damped: jax.Array) -> jax.Array:
    return g * scale[i] * scale[j] / (damped[i] * damped[j])


def _largest(
    gram: Gram, k: int, inverse: Callable[[jax.Array], jax.Array], item_power: jax.Array, target_power: jax.Array
) -> Neighbours:
    """Turns the inverse P into the k weights of largest magnitude of each target.

    Args:
        gram: the Gram matrix.
        k: weights to keep.
        inverse: (targets [B]) -> the columns of P, as rows [B, items].
        item_power, target_power: exponents of the source's and the target's degree.
    """
    n, degree = gram.degree.size, jnp.maximum(gram.degree, 1)
    blocks = jnp.pad(jnp.arange(n, dtype=jnp.int32), (0, -n % _TARGETS_PER_BLOCK)).reshape(-1, _TARGETS_PER_BLOCK)

    def of_block(targets: jax.Array) -> tuple[jax.Array, jax.Array]:
        columns = inverse(targets)
        row = jnp.arange(targets.size)
        weights = -columns / columns[row, targets][:, None]
        weights = weights.at[row, targets].set(0) * degree**-item_power * degree[targets][:, None] ** target_power
        _, best = top_k(jnp.abs(weights), k)
        return best, jnp.take_along_axis(weights, best, axis=1)

    sources, weights = (x.reshape(-1, k)[:n] for x in jax.lax.map(of_block, blocks))
    return Neighbours(jnp.where(weights != 0, sources, n), weights)


@partial(jax.jit, static_argnames="k")
@full_precision
def _solve_local_weights(inputs: dict[str, Any], k: int) -> Neighbours:
    return local_neighbours(inputs["gram"], k, *inputs["numbers"])


@partial(jax.jit, static_argnames="k")
@full_precision
def _solve_by_items(inputs: dict[str, Any], k: int) -> Neighbours:
    return whole_neighbours(inputs["gram"], k, *inputs["numbers"])


def whole_neighbours(
    gram: Gram, k: int, l2: jax.Array, dropout: jax.Array, item_power: jax.Array, target_power: jax.Array
) -> Neighbours:
    """Solves the regression of every item on all others by a dense matrix; keeps the k largest weights of each."""
    n, scale = gram.degree.size, _scale(gram, item_power)
    dense = dense_rows(gram.entries, jnp.arange(n, dtype=jnp.int32), n) * jnp.outer(scale, scale)
    dense = dense + jnp.diag(_penalty(gram, scale, l2, dropout))
    inverse = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(dense, lower=True), jnp.eye(n, dtype=dense.dtype))
    return _largest(gram, k, lambda targets: inverse[targets], item_power, target_power)


@partial(jax.jit, static_argnames=("k", "n_users"))
@full_precision
def _solve_by_users(inputs: dict[str, Any], k: int, n_users: int) -> Neighbours:
    """Inverts by Woodbury's identity: P = 1/L - Y^T M^-1 Y with Y = Z / L and M = I + Z Y^T, of users by users.

    A user with one item touches only the diagonal of G, and so belongs to L.
    """
    gram, (l2, dropout, item_power, target_power) = inputs["gram"], inputs["numbers"]
    edges, n, scale = inputs["users"], gram.degree.size, _scale(gram, item_power)
    z = edges.attr * scale[edges.columns]
    of_several = jax.ops.segment_sum(z**2, edges.columns, n)
    single = jnp.maximum(gram.diagonal * scale**2 - of_several, 0)
    penalty = _penalty(gram, scale, l2, dropout) + single
    y = z / penalty[edges.columns]
    rows = jnp.zeros((n, n_users), z.dtype).at[edges.columns, edges.rows].add(z)
    kernel = spmm(y, rows, edges, n_users) + jnp.eye(n_users, dtype=z.dtype)
    identity = jnp.eye(n_users, dtype=z.dtype)
    inverse = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(kernel, lower=True), identity)
    half = spmm_transposed(y, inverse, edges, n)  # Y^T M^-1, [items, users].

    def columns(targets: jax.Array) -> jax.Array:
        found = -spmm_transposed(y, half[targets].T, edges, n).T
        return found.at[jnp.arange(targets.size), targets].add(1 / penalty[targets])

    return _largest(gram, k, columns, item_power, target_power)


def _several_items(data: Dataset) -> np.ndarray:
    """Returns the users of at least two positive train items."""
    return np.flatnonzero(np.bincount(data.train.positives().users, minlength=data.n_users) > 1)


def _few_users(data: Dataset, users: np.ndarray, power: float) -> Edges:
    """Returns the positives of the given users, numbered from 0 on, as the matrix D_u^-b X."""
    positives = data.train.positives()
    length = np.bincount(positives.users, minlength=data.n_users)
    kept = np.isin(positives.users, users)
    of, items = positives.users[kept], positives.items[kept]
    return make_edges(
        np.searchsorted(users, of).astype(np.int32), items, (length[of] ** -float(power)).astype(np.float32)
    )
