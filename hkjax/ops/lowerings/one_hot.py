"""Lookups as products with one-hot rows, without a gather or scatter: for machines with a matrix unit.

An id is 128 h + l. With one-hot rows of h and l, products of matrices read the sampled entries of a block of scores,
and add weights at them. They cost as many multiplications as scores of the whole table. A matrix unit has these to
spare, while every index of a gather costs it as much as a tile.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from hkjax.precision import sum_dtype

# By the machines' data sheets, all scores of a larger table take longer than the samples' indices. Not timed.
MOST_ROWS = 1 << 17
_WIDTH = 128
_ROWS = 32


def products(rows: jax.Array, table: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """Computes <row_b, table_t[ids[b, k]]>, [B, K, T], of rows [B, d], T tables side by side [N, T d], ids [B, K]."""
    del n
    tables = _split_and_pad(table, rows.shape[1])

    def of_block(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        rows, ids = block
        scores = _matmul("rd,tnd->rtn", rows, tables).reshape(len(rows), len(tables), -1, _WIDTH)
        high, low = _one_hots(ids, scores.shape[2], rows.dtype)
        return jnp.sum(_matmul("rthl,rkl->rtkh", scores, low) * high[:, None], axis=-1)

    scores = _in_blocks(of_block, rows, ids).reshape(-1, len(tables), ids.shape[1])
    return jnp.swapaxes(scores[: ids.shape[0]], 1, 2)


def row_sums(weights: jax.Array, table: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """Computes sum_kt w[b, k, t] table_t[ids[b, k]]: [B, d] from weights [B, K, T]."""
    tables = _split_and_pad(table, table.shape[1] // weights.shape[2])

    def of_block(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        return _matmul("rtn,tnd->rd", _spread(*block, tables.shape[1] // _WIDTH, table.dtype), tables)

    return _in_blocks(of_block, jnp.swapaxes(weights, 1, 2), ids).reshape(-1, tables.shape[2])[:n]


def table_sums(weights: jax.Array, rows: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """Sums w[b, k, t] row_b over all (b, k) by ids[b, k], for each table t: [n, T d]."""

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        weights, ids, rows = block
        return total + _matmul("rtn,rd->tnd", _spread(weights, ids, total.shape[1] // _WIDTH, rows.dtype), rows), None

    shape = (weights.shape[2], n + -n % _WIDTH, rows.shape[1])
    zeros = jnp.zeros(shape, sum_dtype(weights.dtype, rows.dtype))
    total = jax.lax.scan(add, zeros, tuple(map(_blocks, (jnp.swapaxes(weights, 1, 2), ids, rows))))[0]
    return jnp.concatenate(list(total[:, :n]), axis=1)


def take_few(table: jax.Array, ids: jax.Array) -> jax.Array:
    """Reads rows of a small table [N, d] by ids [n]: [n, d]."""
    # The reverse pass is traced where no context sets the precision.
    return jnp.matmul(jax.nn.one_hot(ids, table.shape[0], dtype=table.dtype), table, precision="highest")


def _spread(weights: jax.Array, ids: jax.Array, n_blocks: int, dtype: jax.typing.DTypeLike) -> jax.Array:
    """Adds weights [R, T, K] at their ids, in rows with an entry for each row of a table: [R, T, 128 n_blocks]."""
    high, low = _one_hots(ids, n_blocks, dtype)
    return _matmul("rkh,rtkl->rthl", high, weights[..., None] * low[:, None]).reshape(*weights.shape[:2], -1)


def _one_hots(ids: jax.Array, n_blocks: int, dtype: jax.typing.DTypeLike) -> tuple[jax.Array, jax.Array]:
    return jax.nn.one_hot(ids // _WIDTH, n_blocks, dtype=dtype), jax.nn.one_hot(ids % _WIDTH, _WIDTH, dtype=dtype)


def _matmul(form: str, a: jax.Array, b: jax.Array) -> jax.Array:
    # HIGH keeps 16 bits of the sums that are read or added: far more than their factors have in bfloat16.
    rounded = jnp.bfloat16 in (a.dtype, b.dtype)
    precision = jax.lax.Precision.HIGH if rounded else jax.lax.Precision.HIGHEST
    return jnp.einsum(form, a, b, precision=precision, preferred_element_type=sum_dtype(a.dtype, b.dtype))


def _split_and_pad(table: jax.Array, d: int) -> jax.Array:
    """Splits tables side by side, [N, T d], into [T, N, d], padded to whole widths."""
    parts = jnp.split(table, table.shape[1] // d, axis=1)
    return jnp.pad(jnp.stack(parts), ((0, 0), (0, -len(table) % _WIDTH), (0, 0)))


def _blocks(x: jax.Array) -> jax.Array:
    """Cuts rows of x [B, ...] into blocks, [blocks, 32, ...], padded with 0."""
    n, *rest = x.shape
    return jnp.pad(x, ((0, -n % _ROWS), *[(0, 0)] * len(rest))).reshape(-1, _ROWS, *rest)


def _in_blocks(function: Callable[[tuple[jax.Array, jax.Array]], jax.Array], *arrays: jax.Array) -> jax.Array:
    return jax.lax.map(function, tuple(map(_blocks, arrays)))
