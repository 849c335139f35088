"""Inner products of many pairs of rows, gathered and summed in blocks instead of copied out."""

from functools import partial

import jax
import jax.numpy as jnp

from hkjax.graph.blocks import add_rows, inner, map_rows

_BLOCK = 8


@jax.custom_vjp
def gathered_products(rows: jax.Array, table: jax.Array, index: jax.Array) -> jax.Array:
    """Inner products of each row with some rows of a table.

    Args:
        rows: [B, d].
        table: [N, d].
        index: int [B, K].

    Returns:
        [B, K].
    """

    def products(block: tuple[jax.Array, jax.Array]) -> jax.Array:
        row, members = block
        return inner(row[:, None], table[members])

    return map_rows(products, (rows, index), width=index.shape[1])


def _products_forward(rows, table, index):
    return gathered_products(rows, table, index), (rows, table, index)


def _products_backward(residuals, cotangent):
    rows, table, index = residuals
    blocks, _ = _blocks(index)
    weights, _ = _blocks(cotangent)

    def body(carry, block):
        d_rows, d_table = carry
        members, weight = block
        d_rows = d_rows + sum(weight[k, :, None] * table[members[k]] for k in range(_BLOCK))
        return (d_rows, d_table.at[members].add(weight[..., None] * rows)), None

    (d_rows, d_table), _ = jax.lax.scan(body, (jnp.zeros_like(rows), jnp.zeros_like(table)), (blocks, weights))
    return d_rows, d_table, None


gathered_products.defvjp(_products_forward, _products_backward)


def _blocks(x: jax.Array) -> tuple[jax.Array, int]:
    """Columns of x [B, K] in blocks, [blocks, 8, B], padded with 0; and K."""
    n = x.shape[1]
    return jnp.pad(x.T, ((0, -n % _BLOCK), (0, 0))).reshape(-1, _BLOCK, x.shape[0]), n


def masked_gram(x: jax.Array, first: jax.Array, second: jax.Array, bits: jax.Array) -> jax.Array:
    """|a|^2, <a,b> and |b|^2 of the rows a = x[first], b = x[second], over a random half of the dimensions.

    Args:
        x: [N, d].
        first, second: int [pairs].
        bits: uint32 [pairs, ceil(d / 32)]; bit k of word w says whether dimension 32 w + k counts.

    Returns:
        [pairs, 3].
    """
    return _masked_gram(x, (first, second, bits))


@jax.custom_vjp
def _masked_gram(x: jax.Array, pairs: tuple[jax.Array, ...]) -> jax.Array:
    def products(pairs: tuple[jax.Array, ...]) -> jax.Array:
        a, b, mask = _masked_rows(x, *pairs)
        return jnp.stack([inner(mask * a, a), inner(mask * a, b), inner(mask * b, b)], axis=-1)

    return map_rows(products, pairs)


def _masked_rows(x, first, second, bits):
    return x[first], x[second], unpack_bits(bits, x.shape[1]).astype(x.dtype)


def _gram_forward(x, pairs):
    return _masked_gram(x, pairs), (x, pairs)


def _gram_backward(residuals, cotangent):
    x, pairs = residuals

    def add(total, block):
        first, second, bits, g = block
        a, b, mask = _masked_rows(x, first, second, bits)
        total = total.at[first].add(mask * (2 * g[:, 0:1] * a + g[:, 1:2] * b))
        return total.at[second].add(mask * (2 * g[:, 2:3] * b + g[:, 1:2] * a))

    return add_rows(add, jnp.zeros_like(x), (*pairs, cotangent), (0, 0, 0, 0)), None


_masked_gram.defvjp(_gram_forward, _gram_backward)


@partial(jax.jit, static_argnums=1)
def unpack_bits(bits: jax.Array, n: int) -> jax.Array:
    """The first n bits of each row of words: bool [pairs, n] from uint32 [pairs, words]."""
    dimension = jnp.arange(n)
    return (bits[:, dimension // 32] >> (dimension % 32).astype(jnp.uint32)) & 1 == 1
