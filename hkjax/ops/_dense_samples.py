"""Products of rows with sampled rows of a table, without a gather or scatter: for machines with a matrix unit.

An id is 128 h + l. With one-hot rows of h and l, taking the sampled entries of a block of scores, and adding weights
at them, are products of matrices. They cost as many multiplications as scores of the whole table, which a matrix unit
has to spare, where every index of a gather costs it as much as a tile.
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
    """<row_b, table[ids[b, k]]>: [B, K] from rows [B, d], the table [N, d] and ids int [B, K]."""
    del n
    padded = _pad_to_width(table)

    def of_block(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        rows, ids = block
        scores = _matmul("rd,nd->rn", rows, padded).reshape(len(rows), -1, _WIDTH)
        high, low = _one_hots(ids, scores.shape[1], rows.dtype)
        return jnp.sum(_matmul("rhl,rkl->rkh", scores, low) * high, axis=-1)

    return _in_blocks(of_block, rows, ids).reshape(-1, ids.shape[1])[: ids.shape[0]]


def row_sums(weights: jax.Array, table: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """sum_k w[b, k] table[ids[b, k]]: [B, d] from weights [B, K]."""
    padded = _pad_to_width(table)

    def of_block(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        return _matmul("rn,nd->rd", _spread(*block, len(padded) // _WIDTH, table.dtype), padded)

    return _in_blocks(of_block, weights, ids).reshape(-1, table.shape[1])[:n]


def table_sums(weights: jax.Array, rows: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """The sum of w[b, k] row_b over all (b, k) whose id is that of a row of the table: [n, d]."""

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        weights, ids, rows = block
        return total + _matmul("rn,rd->nd", _spread(weights, ids, len(total) // _WIDTH, rows.dtype), rows), None

    zeros = jnp.zeros((n + -n % _WIDTH, rows.shape[1]), sum_dtype(weights.dtype, rows.dtype))
    return jax.lax.scan(add, zeros, tuple(map(_blocks, (weights, ids, rows))))[0][:n]


def _spread(weights: jax.Array, ids: jax.Array, n_blocks: int, dtype: jax.typing.DTypeLike) -> jax.Array:
    """The weights [R, K] added at their ids in rows of as many entries as the table has: [R, 128 n_blocks]."""
    high, low = _one_hots(ids, n_blocks, dtype)
    return _matmul("rkh,rkl->rhl", high, weights[..., None] * low).reshape(len(ids), -1)


def _one_hots(ids: jax.Array, n_blocks: int, dtype: jax.typing.DTypeLike) -> tuple[jax.Array, jax.Array]:
    return jax.nn.one_hot(ids // _WIDTH, n_blocks, dtype=dtype), jax.nn.one_hot(ids % _WIDTH, _WIDTH, dtype=dtype)


def _matmul(form: str, a: jax.Array, b: jax.Array) -> jax.Array:
    # HIGH keeps 16 bits of sums that are selected or spread: far more than their factors have in bfloat16.
    rounded = jnp.bfloat16 in (a.dtype, b.dtype)
    precision = jax.lax.Precision.HIGH if rounded else jax.lax.Precision.HIGHEST
    return jnp.einsum(form, a, b, precision=precision, preferred_element_type=sum_dtype(a.dtype, b.dtype))


def _pad_to_width(table: jax.Array) -> jax.Array:
    return jnp.pad(table, ((0, -len(table) % _WIDTH), (0, 0)))


def _blocks(x: jax.Array) -> jax.Array:
    """Rows of x [B, m] in blocks, [blocks, 32, m], padded with 0."""
    return jnp.pad(x, ((0, -len(x) % _ROWS), (0, 0))).reshape(-1, _ROWS, x.shape[1])


def _in_blocks(function: Callable[[tuple[jax.Array, jax.Array]], jax.Array], *arrays: jax.Array) -> jax.Array:
    return jax.lax.map(function, tuple(map(_blocks, arrays)))
