"""Inner products of many pairs of rows, gathered and summed in blocks instead of copied out."""

import jax
import jax.numpy as jnp

from hkjax.graph.blocks import add_rows, inner, map_rows
from hkjax.graph.trilinear import partial_derivatives

_BLOCK = 8


def gathered_products(rows: jax.Array, table: jax.Array, index: jax.Array) -> jax.Array:
    """Inner products of each row with some rows of a table.

    Args:
        rows: [B, d].
        table: [N, d].
        index: int [B, K].

    Returns:
        [B, K].
    """
    return _gathered(rows, table, index, n=index.shape[0])


def _gathered_products(rows: jax.Array, table: jax.Array, index: jax.Array, n: int) -> jax.Array:
    del n

    def products(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        row, members = block
        return inner(row[:, None], table[members])

    return map_rows(products, (rows, index), width=index.shape[1])


def _gathered_row_sums(weights: jax.Array, table: jax.Array, index: jax.Array, n: int) -> jax.Array:
    def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        weight, members = block
        return total + sum(weight[k, :, None] * table[members[k]] for k in range(_BLOCK)), None

    zeros = jnp.zeros((n, table.shape[1]), table.dtype)
    return jax.lax.scan(add, zeros, (_blocks(weights), _blocks(index)))[0]


def _gathered_table_sums(weights: jax.Array, rows: jax.Array, index: jax.Array, n: int) -> jax.Array:
    def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        weight, members = block
        return total.at[members].add(weight[..., None] * rows), None

    zeros = jnp.zeros((n, rows.shape[1]), rows.dtype)
    return jax.lax.scan(add, zeros, (_blocks(weights), _blocks(index)))[0]


_gathered, _, _ = partial_derivatives("gathered", _gathered_products, _gathered_row_sums, _gathered_table_sums)


def _blocks(x: jax.Array) -> jax.Array:
    """Columns of x [B, K] in blocks, [blocks, 8, B], padded with 0."""
    return jnp.pad(x.T, ((0, -x.shape[1] % _BLOCK), (0, 0))).reshape(-1, _BLOCK, x.shape[0])


@jax.custom_jvp
def masked_gram(x: jax.Array, first: jax.Array, second: jax.Array, bits: jax.Array, dimensions: jax.Array) -> jax.Array:
    """|a|^2, <a,b> and |b|^2 of the rows a = x[first], b = x[second], over the dimensions whose bits are set.

    Args:
        x: [N, d].
        first, second: int [pairs].
        bits: uint32 [pairs, words]; bit k of word w says whether dimension 32 w + k counts.
        dimensions: int [d], the numbers of x's columns among the dimensions.

    Returns:
        [pairs, 3].
    """
    return _masked(x, x, first, second, bits, dimensions, n=first.shape[0])


@masked_gram.defjvp
def _masked_gram_jvp(primals, tangents):
    x, *pairs = primals
    # A quadratic form: its derivative is twice the symmetric bilinear one.
    return masked_gram(*primals), 2 * _masked(tangents[0], x, *pairs, n=pairs[0].shape[0])


def _masked_products(
    x: jax.Array, y: jax.Array, first: jax.Array, second: jax.Array, bits: jax.Array, dimensions: jax.Array, n: int
) -> jax.Array:
    """The symmetric bilinear form whose value at y = x is `masked_gram`."""
    del n

    def products(pairs: tuple[jax.Array, ...]) -> jax.Array:
        first, second, bits = pairs
        mask = unpack_bits(bits, dimensions).astype(x.dtype)
        a, b, c, d = mask * x[first], mask * x[second], y[first], y[second]
        return jnp.stack([inner(a, c), (inner(a, d) + inner(b, c)) / 2, inner(b, d)], axis=-1)

    return map_rows(products, (first, second, bits))


def _masked_sums(
    weights: jax.Array,
    y: jax.Array,
    first: jax.Array,
    second: jax.Array,
    bits: jax.Array,
    dimensions: jax.Array,
    n: int,
) -> jax.Array:
    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> jax.Array:
        w, first, second, bits = block
        mask = unpack_bits(bits, dimensions).astype(y.dtype)
        c, d, half = mask * y[first], mask * y[second], w[:, 1:2] / 2
        total = total.at[first].add(w[:, 0:1] * c + half * d)
        return total.at[second].add(half * c + w[:, 2:3] * d)

    return add_rows(add, jnp.zeros((n, y.shape[1]), y.dtype), (weights, first, second, bits), (0, 0, 0, 0))


_masked, _, _ = partial_derivatives("masked", _masked_products, _masked_sums, _masked_sums)


@jax.jit
def unpack_bits(bits: jax.Array, dimensions: jax.Array) -> jax.Array:
    """Some bits of each row of words: bool [pairs, d] from uint32 [pairs, words] and the bits' numbers, int [d]."""
    return (bits[:, dimensions // 32] >> (dimensions % 32).astype(jnp.uint32)) & 1 == 1
