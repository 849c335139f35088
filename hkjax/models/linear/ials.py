"""iALS: vectors of users and items by weighted least squares over all pairs, solved in turn."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.models.base import FoldIn, Params, Recommender, nothing_to_train
from hkjax.models.linear.config import IALSConfig
from hkjax.models.linear.memory import Remember, compute_anew
from hkjax.ops.sparse import Edges, make_edges, sddmm, spmm, spmm_transposed
from hkjax.precision import full_precision

# Steps of conjugate gradients, from 0 on, that give a user's vector for given items.
_STEPS_OF_USERS = 20


def ials(config: IALSConfig, data: Dataset, batch_size: int = 0, remember: Remember = compute_anew) -> Recommender:
    """Builds iALS from the positives of train; the batch size counts for nothing, and nothing is remembered."""
    del batch_size, remember
    positives = data.train.positives()
    inputs = {
        "edges": make_edges(positives.users, positives.items),
        "numbers": jnp.array([config.alpha, config.l2]),
    }

    def init(key: jax.Array) -> Params:
        return {"item": jax.random.normal(key, (data.n_items, config.dim)) / np.sqrt(config.dim)}

    def solve(params: Params, inputs: dict[str, Any]) -> Params:
        return _solve(params, inputs, config.rounds, config.conjugate_steps, data.n_users)

    return Recommender(
        inputs=inputs,
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, max(1, len(positives.users))),
        init=init,
        loss=nothing_to_train,
        encode=partial(encode, data.n_users),
        score_pairs=lambda x, users, items: jnp.sum(x["user"][users] * x["item"][items], axis=-1),
        score_all_items=full_precision(lambda x, users: x["user"][users] @ x["item"].T),
        fold_in=FoldIn(lambda params, inputs: inputs["numbers"], encode_users),
        row_ids={"item": data.names.items},
        solve=solve,
        trained=(),
    )


@full_precision
def encode(n_users: int, params: Params, inputs: dict[str, Any]) -> dict[str, jax.Array]:
    """Solves for all users' vectors, given those of the items."""
    item, edges = params["item"], inputs["edges"]
    start = jnp.zeros((n_users, item.shape[1]), item.dtype)
    return {"user": _users(item, edges, inputs["numbers"], start, _STEPS_OF_USERS), "item": item}


@full_precision
def encode_users(
    numbers: jax.Array, x: dict[str, jax.Array], items: jax.Array, weights: jax.Array, ids: jax.Array | None
) -> dict[str, jax.Array]:
    """Implements `FoldIn.encode_users`: the same least squares for histories that were never trained."""
    del ids
    of_history = x["item"][items]

    def gathered(p: jax.Array) -> jax.Array:
        return jnp.einsum("bmd,bm->bd", of_history, weights * jnp.einsum("bmd,bd->bm", of_history, p))

    sums = jnp.einsum("bmd,bm->bd", of_history, weights)
    return {**x, "user": _solve_rows(x["item"], gathered, sums, numbers, jnp.zeros_like(sums), _STEPS_OF_USERS)}


def _users(item: jax.Array, edges: Edges, numbers: jax.Array, start: jax.Array, steps: int) -> jax.Array:
    ones, n = jnp.ones(1, item.dtype), len(start)
    sums = spmm(ones, item, edges, n)
    return _solve_rows(item, lambda p: spmm(sddmm(p, item, edges), item, edges, n), sums, numbers, start, steps)


def _items(user: jax.Array, edges: Edges, numbers: jax.Array, start: jax.Array, steps: int) -> jax.Array:
    ones, n = jnp.ones(1, user.dtype), len(start)
    sums = spmm_transposed(ones, user, edges, n)

    def gathered(q: jax.Array) -> jax.Array:
        return spmm_transposed(sddmm(user, q, edges), user, edges, n)

    return _solve_rows(user, gathered, sums, numbers, start, steps)


def _solve_rows(
    table: jax.Array,
    gathered: Callable[[jax.Array], jax.Array],
    sums: jax.Array,
    numbers: jax.Array,
    start: jax.Array,
    steps: int,
) -> jax.Array:
    """Solves (V^T V + alpha sum v v^T + l2) p = (1 + alpha) sum v for every row p, by conjugate gradients.

    Args:
        table: V, the vectors of the other side.
        gathered: p [rows, d] -> sum of v (v . p) over each row's own.
        sums: sum of v over each row's own.
        numbers: alpha and l2.
        start: first guess of p.
        steps: steps to take.
    """
    alpha, l2 = numbers
    gram = table.T @ table

    def product(p: jax.Array) -> jax.Array:
        return p @ gram + alpha * gathered(p) + l2 * p

    def ratio(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.where(y > 0, x / jnp.where(y > 0, y, 1), 0)

    def step(_: int, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        p, rest, direction, square = state
        across = product(direction)
        length = ratio(square, jnp.sum(direction * across, axis=1, keepdims=True))
        p, rest = p + length * direction, rest - length * across
        left = jnp.sum(rest**2, axis=1, keepdims=True)
        return p, rest, rest + ratio(left, square) * direction, left

    rest = (1 + alpha) * sums - product(start)
    square = jnp.sum(rest**2, axis=1, keepdims=True)
    return jax.lax.fori_loop(0, steps, step, (start, rest, rest, square))[0]


@partial(jax.jit, static_argnames=("rounds", "steps", "n_users"))
@full_precision
def _solve(params: Params, inputs: dict[str, Any], rounds: int, steps: int, n_users: int) -> Params:
    edges, numbers = inputs["edges"], inputs["numbers"]

    def take_turns(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        user, item = state
        user = _users(item, edges, numbers, user, steps)
        return user, _items(user, edges, numbers, item, steps)

    user = jnp.zeros((n_users, params["item"].shape[1]), params["item"].dtype)
    return {"item": jax.lax.fori_loop(0, rounds, take_turns, (user, params["item"]))[1]}
