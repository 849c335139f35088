"""Inner products of many pairs of rows, and sums of their gradients, without a copy of all rows where possible."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from hkjax.ops.autodiff.bilinear import bilinear_primitives
from hkjax.ops.collectives import all_gather, device_key
from hkjax.ops.columns import sum_columns
from hkjax.ops.lookup import take_whole
from hkjax.ops.lowerings import in_order, one_hot
from hkjax.ops.lowerings.blocks import add_rows, map_rows
from hkjax.ops.lowerings.threefry import random_bits, unpack_bits
from hkjax.ops.rows import row_dot
from hkjax.ops.sparse import PADDING_ROW, Edges, local_sddmm
from hkjax.precision import sum_dtype
from hkjax.shapes import check_prefix, check_rank, check_same_shape, check_suffix

_BLOCK = 8


def score_samples(rows: jax.Array, tables: Sequence[jax.Array], ids: jax.Array) -> list[jax.Array]:
    """Computes inner products of each row with sampled rows of some tables.

    Args:
        rows: [B, d].
        tables: arrays [N, d].
        ids: int [B, K], the samples of each row, the same in all tables.

    Returns:
        [B, K] of each table. For bfloat16, scores are float32, and gradients are rounded after sums in float32.
    """
    named = {f"tables[{t}]": table for t, table in enumerate(tables)}
    check_rank("score_samples", 2, rows=rows, ids=ids, **named)
    check_prefix("score_samples", rows=rows, ids=ids)
    check_suffix("score_samples", rows=rows, **named)
    check_same_shape("score_samples", **named)

    def scores(*arrays: jax.Array) -> jax.Array:
        *tables, rows = arrays
        score = _score_small if len(tables[0]) <= one_hot.MOST_ROWS else _score
        # Side by side, the rows of one id are read at once, and the primitive needs only one array.
        return score(rows, jnp.concatenate(tables, axis=1), ids, n=ids.shape[0])

    found = sum_columns(scores, tables, [rows])
    return [found[..., t] for t in range(len(tables))]


def pair_gram(x: jax.Array, pairs: Edges) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Computes |a|^2, <a, b> and |b|^2 of the rows a, b of x [N, d] at the ends of each pair: three arrays [pairs]."""
    check_rank("pair_gram", 2, x=x)
    ends = jnp.stack([pairs.rows, pairs.columns])
    aa, bb = take_whole(all_gather(jnp.sum(x**2, axis=-1)), ends)
    return aa, sum_columns(lambda x: local_sddmm(x, x, pairs), [x]), bb


def half_pair_gram(key: jax.Array, x: jax.Array, pairs: Edges) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Computes `pair_gram` over about half of the dimensions: each pair draws its own, with probability 1/2 each."""
    d, n_pairs = x.shape[-1], pairs.rows.shape[0]
    bits = random_bits(device_key(key), (n_pairs, -(-d // 32)))

    def gram(x: jax.Array, dimensions: jax.Array) -> jax.Array:
        return masked_gram(x, pairs.rows, pairs.columns, pairs.csc_order, bits, dimensions)

    aa, ab, bb = sum_columns(gram, [x], [jnp.arange(d)]).T
    return aa, ab, bb


@jax.custom_jvp
def masked_gram(
    x: jax.Array, first: jax.Array, second: jax.Array, order: jax.Array, bits: jax.Array, dimensions: jax.Array
) -> jax.Array:
    """Computes |a|^2, <a, b> and |b|^2 of the rows a = x[first], b = x[second], over the dimensions whose bits are set.

    Args:
        x: columns of a table, with all its rows, [N, d].
        first, second: int [pairs]; the first ascend.
        order: int [pairs], the pairs in ascending order of the second.
        bits: uint32 [pairs, words]; bit k of word w is set if dimension 32 w + k counts.
        dimensions: int [d], the columns' indices in the table.

    Returns:
        [pairs, 3].
    """
    return _masked(x, x, first, second, order, bits, dimensions, n=first.shape[0])


@masked_gram.defjvp
def _masked_gram_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, *pairs = primals
    # A quadratic form: its derivative is twice the symmetric bilinear one.
    return masked_gram(*primals), 2 * _masked(tangents[0], x, *pairs, n=pairs[0].shape[0])


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
    # One table after the other: each may fit the cache.
    for t, each in enumerate(tables):
        total, _ = jax.lax.scan(partial(add, each), total, (_column_blocks(weights[..., t]), _column_blocks(ids)))
    return total


def _table_sums(weights: jax.Array, rows: jax.Array, ids: jax.Array, n: int) -> jax.Array:
    def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        weight, members = block
        return total.at[members].add(weight[..., None] * rows), None

    zeros = jnp.zeros((n, rows.shape[1]), sum_dtype(weights.dtype, rows.dtype))
    blocks = [(_column_blocks(weights[..., t]), _column_blocks(ids)) for t in range(weights.shape[2])]
    return jnp.concatenate([jax.lax.scan(add, zeros, xs)[0] for xs in blocks], axis=1)


def _make_form(name: str, of_small_tables: bool) -> tuple[Callable[..., jax.Array], ...]:
    """Makes the form's three derivatives, the scores first; only small tables are multiplied whole."""

    def offered(**ways: Callable[..., jax.Array]) -> dict[str, Callable[..., jax.Array]]:
        names = {"gathered": "gathered", "in_order": "in order", "one_hot": "one-hot products"}
        return {names[way]: f for way, f in ways.items() if of_small_tables or way != "one_hot"}

    return bilinear_primitives(
        name,
        offered(gathered=_products, one_hot=one_hot.products),
        offered(gathered=_row_sums, in_order=in_order.row_sums, one_hot=one_hot.row_sums),
        offered(gathered=_table_sums, in_order=in_order.table_sums, one_hot=one_hot.table_sums),
        operation="score_samples",
    )


_score, _, _ = _make_form("score", False)
_score_small, _small_row_sums, _small_table_sums = _make_form("score_small", True)


def _column_blocks(x: jax.Array) -> jax.Array:
    """Cuts the columns of x [B, K] into blocks, [blocks, 8, B], padded with 0."""
    n, n_columns = x.shape
    return jnp.pad(x.T, ((0, -n_columns % _BLOCK), (0, 0))).reshape(-(-n_columns // _BLOCK), _BLOCK, n)


# After the form's two arguments come the pairs, as in `masked_gram`.
def _masked_products(x: jax.Array, y: jax.Array, *pairs: jax.Array, n: int) -> jax.Array:
    """Computes the symmetric bilinear form that equals `masked_gram` at y = x."""
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


_masked_sums_ways = {"as they come": _masked_sums, "in order": in_order.masked_sums}
_masked, _masked_sums_by_rows, _ = bilinear_primitives(
    "masked", _masked_products, _masked_sums_ways, _masked_sums_ways, operation="masked_gram"
)
