"""Inner products of many pairs of rows, and sums of their gradients, without a copy of all rows where it can be."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp

from hkjax.ops.autodiff.bilinear import bilinear_primitives
from hkjax.ops.collectives import all_gather, device_key
from hkjax.ops.columns import sum_columns
from hkjax.ops.lookup import take_whole
from hkjax.ops.lowerings import one_hot_samples
from hkjax.ops.lowerings.blocks import add_rows, map_rows
from hkjax.ops.rows import row_dot
from hkjax.ops.sampling import random_words
from hkjax.ops.segment import segment_sum, sort_ids
from hkjax.ops.sparse import PADDING_ROW, Edges, local_sddmm
from hkjax.precision import sum_dtype

_BLOCK = 8


def score_samples(rows: jax.Array, tables: Sequence[jax.Array], ids: jax.Array) -> list[jax.Array]:
    """Inner products of each row with the rows of the same ids in some tables.

    Args:
        rows: [B, d].
        tables: arrays [N, d].
        ids: int [B, K].

    Returns:
        [B, K] of each table; float32 of rows and tables in bfloat16, whose gradients are sums in float32, rounded.
    """
    chex.assert_rank([rows, ids, *tables], 2)
    chex.assert_equal_shape_prefix([rows, ids], 1)
    chex.assert_equal_shape_suffix([rows, *tables], 1)
    chex.assert_equal_shape(tables)

    def scores(*arrays: jax.Array) -> jax.Array:
        *tables, rows = arrays
        score = _score_small if len(tables[0]) <= one_hot_samples.MOST_ROWS else _score
        # Side by side, the rows of one id are read at once. The primitive is a form of one array, not of several.
        return score(rows, jnp.concatenate(tables, axis=1), ids, n=ids.shape[0])

    found = sum_columns(scores, tables, [rows])
    return [found[..., t] for t in range(len(tables))]


def pair_gram(x: jax.Array, pairs: Edges) -> tuple[jax.Array, jax.Array, jax.Array]:
    """|a|^2, <a, b> and |b|^2 of the rows a and b of x [N, d] at the ends of each pair: three arrays [pairs]."""
    chex.assert_rank(x, 2)
    ends = jnp.stack([pairs.rows, pairs.columns])
    aa, bb = take_whole(all_gather(jnp.sum(x**2, axis=-1)), ends)
    return aa, sum_columns(lambda x: local_sddmm(x, x, pairs), [x]), bb


def half_pair_gram(key: jax.Array, x: jax.Array, pairs: Edges) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`pair_gram` over a random half of the dimensions: each counts with probability 1/2, drawn anew for each pair."""
    d, n_pairs = x.shape[-1], pairs.rows.shape[0]
    bits = random_words(device_key(key), (n_pairs, -(-d // 32)))

    def gram(x: jax.Array, dimensions: jax.Array) -> jax.Array:
        return masked_gram(x, pairs.rows, pairs.columns, pairs.csc_order, bits, dimensions)

    aa, ab, bb = sum_columns(gram, [x], [jnp.arange(d)]).T
    return aa, ab, bb


@jax.custom_jvp
def masked_gram(
    x: jax.Array, first: jax.Array, second: jax.Array, order: jax.Array, bits: jax.Array, dimensions: jax.Array
) -> jax.Array:
    """|a|^2, <a, b> and |b|^2 of the rows a = x[first], b = x[second], over the dimensions whose bits are set.

    Args:
        x: columns of a table, with all its rows, [N, d].
        first, second: int [pairs]; the first ascend.
        order: int [pairs], the pairs in ascending order of the second.
        bits: uint32 [pairs, words]; bit k of word w says whether dimension 32 w + k counts.
        dimensions: int [d], which of the table's dimensions the columns are.

    Returns:
        [pairs, 3].
    """
    return _masked(x, x, first, second, order, bits, dimensions, n=first.shape[0])


@masked_gram.defjvp
def _masked_gram_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, *pairs = primals
    # A quadratic form: its derivative is twice the symmetric bilinear one.
    return masked_gram(*primals), 2 * _masked(tangents[0], x, *pairs, n=pairs[0].shape[0])


@jax.jit
def unpack_bits(bits: jax.Array, dimensions: jax.Array) -> jax.Array:
    """The bits of some dimensions: bool [pairs, d] from uint32 [pairs, words] and int [d]."""
    words = [jnp.where(dimensions // 32 == w, bits[:, w : w + 1], 0) for w in range(bits.shape[1])]
    of_dimension = sum(words[1:], start=words[0])
    return of_dimension >> (dimensions % 32).astype(jnp.uint32) & 1 == 1


# The form's arguments: weights [B, K, T], rows [B, d] and T tables side by side, [N, T d].
def _products(rows: jax.Array, table: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    del n
    n_tables = table.shape[1] // rows.shape[1]

    def products(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        row, members = block
        return row_dot(row[:, None, None], table[members].reshape(*members.shape, n_tables, rows.shape[1]))

    return map_rows(products, (rows, ids), width=max(1, ids.shape[1] * n_tables))


def _row_sums(weights: jax.Array, table: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    def add(each: jax.Array, total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        weight, members = block
        return total + sum(weight[k, :, None] * each[members[k]] for k in range(_BLOCK)), None

    tables = jnp.split(table, weights.shape[2], axis=1)
    total = jnp.zeros((n, tables[0].shape[1]), sum_dtype(weights.dtype, table.dtype))
    # One table after the other, each of which may fit the cache.
    for t, each in enumerate(tables):
        total, _ = jax.lax.scan(partial(add, each), total, (_column_blocks(weights[..., t]), _column_blocks(ids)))
    return total


def _row_sums_at_once(weights: jax.Array, table: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """`_row_sums` as a sum by row, in order, of all samples' rows: [B K, T d], which a GPU's compiler does not hold."""
    n_tables, d = weights.shape[2], table.shape[1] // weights.shape[2]
    of_samples = table[ids.reshape(-1)].reshape(ids.size, n_tables, d) * weights.reshape(ids.size, n_tables, 1)
    row = jax.lax.broadcasted_iota(jnp.int32, ids.shape, 0).reshape(-1)
    return segment_sum(of_samples.astype(sum_dtype(weights.dtype, table.dtype)), row, n).sum(axis=1)


def _table_sums(weights: jax.Array, rows: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        weight, members = block
        return total.at[members].add(weight[..., None] * rows), None

    zeros = jnp.zeros((n, rows.shape[1]), sum_dtype(weights.dtype, rows.dtype))
    blocks = [(_column_blocks(weights[..., t]), _column_blocks(ids)) for t in range(weights.shape[2])]
    return jnp.concatenate([jax.lax.scan(add, zeros, xs)[0] for xs in blocks], axis=1)


def _table_sums_in_order(weights: jax.Array, rows: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    """`_table_sums`, but of all samples' rows at once, in ascending order of their ids: no scatter is without order."""
    in_order, samples = sort_ids(ids.reshape(-1))
    of_samples = _side_by_side(weights.reshape(ids.size, -1)[samples], rows[samples // ids.shape[1]])
    return segment_sum(of_samples.astype(sum_dtype(weights.dtype, rows.dtype)), in_order, n)


def _side_by_side(weights: jax.Array, rows: jax.Array) -> jax.Array:
    """The products of numbers [..., T] with rows [..., d], each row's one after another: [..., T d]."""
    return jnp.concatenate([weights[..., t : t + 1] * rows for t in range(weights.shape[-1])], axis=-1)


_dense = (one_hot_samples.products, one_hot_samples.row_sums, one_hot_samples.table_sums)
# Many rows in flight, and no loop, whose every round a GPU's host has to start.
_samples_at_once = (None, _row_sums_at_once, _table_sums_in_order)
_score, _, _ = bilinear_primitives("score", _products, _row_sums, _table_sums, cuda=_samples_at_once)
_score_small, _, _ = bilinear_primitives(
    "score_small", _products, _row_sums, _table_sums, tpu=_dense, cuda=_samples_at_once
)


def _column_blocks(x: jax.Array) -> jax.Array:
    """Columns of x [B, K] in blocks, [blocks, 8, B], padded with 0."""
    n, n_columns = x.shape
    return jnp.pad(x.T, ((0, -n_columns % _BLOCK), (0, 0))).reshape(-(-n_columns // _BLOCK), _BLOCK, n)


# After the form's two come the pairs, as in `masked_gram`.
def _masked_products(x: jax.Array, y: jax.Array, *pairs: jax.Array, n: int) -> jax.Array:
    """The symmetric bilinear form whose value at y = x is `masked_gram`."""
    del n
    first, second, _, bits, dimensions = pairs

    def products(block: tuple[jax.Array, ...]) -> jax.Array:
        first, second, bits = block
        mask = unpack_bits(bits, dimensions).astype(x.dtype)
        a, b, c, d = mask * x[first], mask * x[second], y[first], y[second]
        return jnp.stack([row_dot(a, c), (row_dot(a, d) + row_dot(b, c)) / 2, row_dot(b, d)], axis=-1)

    return map_rows(products, (first, second, bits))


def _masked_sums(weights: jax.Array, y: jax.Array, *pairs: jax.Array, n: int) -> jax.Array:
    first, second, _, bits, dimensions = pairs

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> jax.Array:
        w, first, second, bits = block
        mask = unpack_bits(bits, dimensions).astype(y.dtype)
        c, d, half = mask * y[first], mask * y[second], w[:, 1:2] / 2
        total = total.at[first].add(w[:, 0:1] * c + half * d, indices_are_sorted=True, mode="drop")
        return total.at[second].add(half * c + w[:, 2:3] * d)

    return add_rows(add, jnp.zeros((n, y.shape[1]), y.dtype), (weights, first, second, bits), (0, PADDING_ROW, 0, 0))


def _masked_sums_in_order(weights: jax.Array, y: jax.Array, *pairs: jax.Array, n: int) -> jax.Array:
    """`_masked_sums` at the first ends, then at the second in their order."""
    first, second, order, bits, dimensions = pairs

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> jax.Array:
        w, here, there, bits = block
        mask = unpack_bits(bits, dimensions).astype(y.dtype)
        rows = mask * (w[:, 0:1] * y[here] + w[:, 1:2] / 2 * y[there])
        return total.at[here].add(rows, indices_are_sorted=True, mode="drop")

    total = jnp.zeros((n, y.shape[1]), y.dtype)
    total = add_rows(add, total, (weights, first, second, bits), (0, PADDING_ROW, 0, 0))
    at_second = (weights[order, ::-1], second[order], first[order], bits[order])
    return add_rows(add, total, at_second, (0, PADDING_ROW, 0, 0))


_pairs_in_order = (None, _masked_sums_in_order, _masked_sums_in_order)
_masked, _, _ = bilinear_primitives("masked", _masked_products, _masked_sums, _masked_sums, cuda=_pairs_in_order)
