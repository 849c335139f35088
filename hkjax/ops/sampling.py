"""Random draws on the device: negatives and dropout. Subsets of edges are in `hkjax.ops.subset`.

Negatives do not depend on the number of devices: the id of each example seeds its draws. The devices that hold a
table's rows draw its dropout.
"""

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.errors import InputError
from hkjax.ops.autodiff.primitive import make_primitive
from hkjax.ops.collectives import device_key, n_devices, rows_key
from hkjax.ops.lowerings import searches
from hkjax.ops.lowerings.table import by_platform
from hkjax.ops.lowerings.threefry import bits_at, folded_bits, numbered, random_bits
from hkjax.ops.rows import materialize
from hkjax.ops.segment import Ragged, make_ragged


def make_histories(users: np.ndarray, items: np.ndarray, n_users: int) -> Ragged:
    """Groups items by user, on the device: int32 lists from int arrays [interactions]; items keep their order."""
    return jax.tree.map(lambda x: jax.device_put(x.astype(np.int32)), make_ragged(users, items, n_users))


def make_exclusions(users: np.ndarray, items: np.ndarray, n_users: int, n_items: int) -> Ragged:
    """Makes the histories, each with ascending items, that `sample_negatives` avoids.

    Raises:
        InputError: a user has every item, so that nothing is left to draw.
    """
    order = np.argsort(items, kind="stable")
    histories = make_histories(users[order], items[order], n_users)
    if int(histories.length.max()) >= n_items:
        raise InputError("a user has every item as a positive in train: no negative is left to draw")
    return histories


@jax.named_scope("drawing negatives")
def sample_negatives(
    key: jax.Array, exclusions: Ragged, users: jax.Array, examples: jax.Array, n_draws: int, n_items: int
) -> jax.Array:
    """Draws items outside the users' histories, uniformly up to n_items / 2^32, and without rejection.

    A user with m excluded items p_0 < p_1 < ... has n_items - m others. The one of rank r among them is r + k, where k
    counts the excluded items with p_k - k <= r. The rank is the high word of a random word times n_items - m.

    Args:
        key: PRNG key.
        exclusions: items not to draw, from `make_exclusions`.
        users: int [B].
        examples: int [B], ids that seed the draws: the draws of a row are the same however devices divide a batch.
        n_draws: draws per user, with replacement.
        n_items: number of items.

    Returns:
        int32 [B, n_draws].
    """
    words = folded_bits(key, examples, n_draws)
    start, length = exclusions.start[users], exclusions.length[users]
    rank = multiply_high(words, (n_items - length)[:, None].astype(jnp.uint32)).astype(jnp.int32)
    return rank + _count_below.bind(exclusions.values, start, length, rank, longest=n_items)


def draw_ids(key: jax.Array, n_draws: int, n: int) -> jax.Array:
    """Draws ids below n with replacement, uniformly up to n / 2^32: int32 [n_draws]. Each device draws its own."""
    return multiply_high(random_bits(device_key(key), (n_draws,)), jnp.uint32(n)).astype(jnp.int32)


def draw_pool(key: jax.Array, n_draws: int, n: int) -> jax.Array:
    """Draws n_draws ids for a whole batch by `draw_ids`: each device draws a part, which its rows share."""
    return draw_ids(key, -(-n_draws // n_devices()), n)


def multiply_high(a: jax.Array, b: jax.Array) -> jax.Array:
    """Computes the high words of products: floor(a b / 2^32) of uint32 arrays."""
    a1, a0, b1, b0 = a >> 16, a & 0xFFFF, b >> 16, b & 0xFFFF
    middle = a1 * b0 + (a0 * b0 >> 16)
    return a1 * b1 + (middle >> 16) + (a0 * b1 + (middle & 0xFFFF) >> 16)


_count_below = make_primitive(
    "count_excluded_below",
    {
        "bisection": searches.excluded_below,
        "unrolled bisection": searches.excluded_below_unrolled,
        "comparison": searches.excluded_below_by_comparison,
    },
    static="longest",
)


@jax.named_scope("dropout")
def dropout(key: jax.Array, x: jax.Array, rate: float) -> jax.Array:
    """Zeroes entries of a table at random and scales the others by 1 / (1 - rate), so that the mean stays.

    Args:
        key: PRNG key.
        x: [rows, d].
        rate: in [0, 1), rounded to 1/65536: two entries share a random word, so that half as many are drawn.

    Returns:
        [rows, d].
    """
    threshold = min(round(rate * 65536), 65535)
    kept = _random_halves(rows_key(key), x.shape) >= threshold
    # Result and gradient are read several times; each time their random words would be computed again.
    return materialize(jnp.where(kept, materialize(x) / (1 - threshold / 65536), 0))


def _random_halves(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws integers below 2^16, uint32 [n, d]: in each row the words' low halves, then their high ones."""
    n_words = -(-shape[1] // 2)

    def of_words(data: jax.Array) -> jax.Array:
        words = random_bits(of_data(data), (shape[0], n_words))
        return jnp.concatenate([words & 0xFFFF, words >> 16], axis=1)[:, : shape[1]]

    def where_used(data: jax.Array) -> jax.Array:
        row, column = (jax.lax.iota(jnp.uint32, n) for n in shape)
        words = bits_at(of_data(data), row[:, None] * np.uint32(n_words), column % np.uint32(n_words))
        return jnp.where(column < n_words, words & 0xFFFF, words >> 16)

    def of_data(data: jax.Array) -> jax.Array:
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(key))

    ways = {"words": of_words}
    if numbered(key, shape[0] * n_words):
        ways["where they are used"] = where_used
    return by_platform("random_halves", ways, jax.random.key_data(key))
