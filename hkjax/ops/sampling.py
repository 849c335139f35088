"""Random draws on the device: negatives and dropout. Subsets of edges are `hkjax.ops.subset`.

Negatives do not depend on the number of devices: the number of each example seeds its draws. Dropout is drawn by the
devices that hold a table's rows.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.errors import InputError
from hkjax.ops.autodiff.primitive import make_primitive
from hkjax.ops.collectives import device_key, n_devices, rows_key
from hkjax.ops.lowerings.threefry import bits_at, folded_bits, numbered, random_bits
from hkjax.ops.rows import materialize


class Histories(NamedTuple):
    """The items that each user met, one user's after another's.

    Attributes:
        items: int32 [interactions].
        start, length: int32 [users], where a user's items lie.
    """

    items: jax.Array
    start: jax.Array
    length: jax.Array


def make_histories(users: np.ndarray, items: np.ndarray, n_users: int) -> Histories:
    """Groups interactions, given as int arrays [interactions], by user; a user's items keep their order."""
    length = np.bincount(users, minlength=n_users)
    arrays = (items[np.argsort(users, kind="stable")], np.cumsum(length) - length, length)
    return Histories(*(jax.device_put(x.astype(np.int32)) for x in arrays))


def make_exclusions(users: np.ndarray, items: np.ndarray, n_users: int, n_items: int) -> Histories:
    """The histories, each with ascending items, that `sample_negatives` avoids.

    Raises:
        InputError: a user met every item, so that nothing is left to draw.
    """
    order = np.argsort(items, kind="stable")
    histories = make_histories(users[order], items[order], n_users)
    if int(histories.length.max()) >= n_items:
        raise InputError("a user has every item as a positive in train: no negative is left to draw")
    return histories


@jax.named_scope("drawing negatives")
def sample_negatives(
    key: jax.Array, exclusions: Histories, users: jax.Array, examples: jax.Array, n_draws: int, n_items: int
) -> jax.Array:
    """Draws items outside the users' histories, uniformly up to n_items / 2^32, and without rejection.

    A user with m excluded items p_0 < p_1 < ... has n_items - m others. The one of rank r among them is r + k, where k
    counts the excluded items with p_k - k <= r. The rank is the high word of a random word times n_items - m.

    Args:
        key: PRNG key.
        exclusions: items not to draw, of `make_exclusions`.
        users: int [B].
        examples: int [B], numbers by which the draws differ, so that a device draws for its part of a batch what one
            device would draw for the whole.
        n_draws: draws per user, with replacement.
        n_items: number of items.

    Returns:
        int32 [B, n_draws].
    """
    words = folded_bits(key, examples, n_draws)
    start, length = exclusions.start[users], exclusions.length[users]
    rank = multiply_high(words, (n_items - length)[:, None].astype(jnp.uint32)).astype(jnp.int32)
    return rank + _count_below.bind(exclusions.items, start, length, rank, longest=n_items)


def draw_ids(key: jax.Array, n_draws: int, n: int) -> jax.Array:
    """Draws numbers below n with replacement, uniformly up to n / 2^32: int32 [n_draws]. Devices draw their own."""
    return multiply_high(random_bits(device_key(key), (n_draws,)), jnp.uint32(n)).astype(jnp.int32)


def draw_pool(key: jax.Array, n_draws: int, n: int) -> jax.Array:
    """`draw_ids` for a whole batch: of n_draws numbers, each device draws the part that its rows share."""
    return draw_ids(key, -(-n_draws // n_devices()), n)


def multiply_high(a: jax.Array, b: jax.Array) -> jax.Array:
    """The high words of products: floor(a b / 2^32) of uint32 arrays."""
    a1, a0, b1, b0 = a >> 16, a & 0xFFFF, b >> 16, b & 0xFFFF
    middle = a1 * b0 + (a0 * b0 >> 16)
    return a1 * b1 + (middle >> 16) + (a0 * b1 + (middle & 0xFFFF) >> 16)


def _excluded_below(items: jax.Array, start: jax.Array, length: jax.Array, rank: jax.Array, longest: int) -> jax.Array:
    """How many of each user's items p_0 < p_1 < ... have p_k - k <= rank, by bisection: [B], [B], [B, n] -> [B, n].

    No history is longer than `longest`.
    """
    del longest
    return _bisect(items, start, length, rank, 32 - jax.lax.clz(jnp.max(length, initial=0)))


def _excluded_below_unrolled(
    items: jax.Array, start: jax.Array, length: jax.Array, rank: jax.Array, longest: int
) -> jax.Array:
    """`_excluded_below` without a loop: one kernel, where a GPU's host would have to start each round."""
    return _bisect(items, start, length, rank, longest.bit_length(), unroll=True)


def _bisect(
    items: jax.Array,
    start: jax.Array,
    length: jax.Array,
    rank: jax.Array,
    n_halvings: int | jax.Array,
    unroll: bool | None = None,
) -> jax.Array:
    start, length = start[:, None], length[:, None]

    def halve(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = (low + high) // 2
        passed = (low < high) & (items[start + jnp.minimum(middle, length - 1)] - middle <= rank)
        return jnp.where(passed, middle + 1, low), jnp.where(passed, high, middle)

    bounds = jnp.zeros_like(rank), jnp.broadcast_to(length, rank.shape)
    return jax.lax.fori_loop(0, n_halvings, halve, bounds, unroll=unroll)[0]


def _excluded_below_by_count(
    items: jax.Array, start: jax.Array, length: jax.Array, rank: jax.Array, longest: int
) -> jax.Array:
    """`_excluded_below` by comparing each rank with all of the user's items, 128 at a time."""
    del longest
    width = 128
    padded = jnp.pad(items, (0, width))

    def count(block: jax.Array, found: jax.Array) -> jax.Array:
        place = block * width + jnp.arange(width)
        first = jnp.minimum(start + block * width, items.shape[0])
        rows = jax.vmap(lambda at: jax.lax.dynamic_slice(padded, (at,), (width,)))(first)
        bound = jnp.where(place < length[:, None], rows - place, jnp.iinfo(jnp.int32).max)
        return found + jnp.sum(bound[:, None, :] <= rank[:, :, None], axis=-1, dtype=jnp.int32)

    n_blocks = -(-jnp.max(length, initial=0) // width)
    return jax.lax.fori_loop(0, n_blocks, count, jnp.zeros_like(rank))


# Bisection looks at few items, one after another; a TPU counts many at once sooner.
_count_below = make_primitive(
    "count_excluded_below",
    _excluded_below,
    static="longest",
    tpu=_excluded_below_by_count,
    cuda=_excluded_below_unrolled,
)


def random_words(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Random words for masks, uint32 of the shape: those of the key's generator.

    But on TPUs those of the machine's own generator, which compiles and runs sooner. What is drawn so may differ
    between kinds of TPUs, not between runs on one.
    """
    return _by_generator(key, lambda key: random_bits(key, shape), lambda words: words, shape)


@jax.named_scope("dropout")
def dropout(key: jax.Array, x: jax.Array, rate: float) -> jax.Array:
    """Zeroes entries of a table at random and scales the others by 1 / (1 - rate), so that the mean stays.

    Args:
        key: PRNG key.
        x: [rows, d].
        rate: in [0, 1), rounded to 1/65536: two entries share a word of random bits, so that half as many are drawn.

    Returns:
        [rows, d].
    """
    threshold = min(round(rate * 65536), 65535)
    kept = _random_halves(rows_key(key), x.shape) >= threshold
    # Both the result and the gradient are used several times, and each time their words would be computed anew.
    return materialize(jnp.where(kept, materialize(x) / (1 - threshold / 65536), 0))


def _random_halves(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Random numbers below 2^16, uint32 [n, d]: in each row the words' low halves, then their high ones."""
    n_words = -(-shape[1] // 2)

    def of_words(words: jax.Array) -> jax.Array:
        return jnp.concatenate([words & 0xFFFF, words >> 16], axis=1)[:, : shape[1]]

    def of_key(key: jax.Array) -> jax.Array:
        if not numbered(key, shape[0] * n_words):
            return of_words(random_bits(key, (shape[0], n_words)))
        # A word is computed for each of its halves, within the loop that uses them: sooner than to read it.
        row, column = (jax.lax.iota(jnp.uint32, n) for n in shape)
        words = bits_at(key, row[:, None] * np.uint32(n_words), column % np.uint32(n_words))
        return jnp.where(column < n_words, words & 0xFFFF, words >> 16)

    return _by_generator(key, of_key, of_words, (shape[0], n_words))


def _by_generator(
    key: jax.Array,
    of_key: Callable[[jax.Array], jax.Array],
    of_words: Callable[[jax.Array], jax.Array],
    shape: tuple[int, ...],
) -> jax.Array:
    """`of_key` on CPUs; elsewhere `of_words` of words of the shape, on TPUs those of the machine's generator."""

    def of_data(data: jax.Array) -> jax.Array:
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(key))

    def on_tpu(data: jax.Array) -> jax.Array:
        return of_words(jax.lax.rng_bit_generator(jnp.resize(data, (4,)), shape, jnp.uint32)[1])

    return jax.lax.platform_dependent(
        jax.random.key_data(key),
        cpu=lambda data: of_key(of_data(data)),
        tpu=on_tpu,
        default=lambda data: of_words(random_bits(of_data(data), shape)),
    )
