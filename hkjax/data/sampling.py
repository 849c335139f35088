"""Batches drawn on the device, in static shapes, each example once per epoch.

Examples differ in size: HKRM's hold their user's whole history, from none to thousands of items. A
batch of random examples would need room for the longest histories many times over. Batches here
are stratified instead. The examples are sorted by size and cut into as many strata as a batch has
lanes; lane b of every batch takes a random example of stratum b. A stratum's examples are nearly
equal in size, so a lane needs hardly more room than its example: summed over the lanes, at most
one largest example more than the average batch.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.errors import InputError


class Batches(NamedTuple):
    """The training examples as arrays on the device.

    Attributes:
        columns: what an example consists of, e.g. user, item and label: arrays [examples].
        strata: int32 [lanes, steps], the examples that each lane draws from; -1 is padding.
        layout: constant entries of every batch: the `lane` and `slot` [places] of each history
            place, lane ascending, slot counting from 0 within a lane; empty where examples have no
            sizes.
    """

    columns: dict[str, jax.Array]
    strata: jax.Array
    layout: dict[str, jax.Array]

    @property
    def steps_per_epoch(self) -> int:
        return self.strata.shape[1]

    @property
    def batch_size(self) -> int:
        return self.strata.shape[0]


def stratify(columns: dict[str, np.ndarray], batch_size: int, sizes: np.ndarray | None = None) -> Batches:
    """Prepares examples for `shuffle` and `take`.

    Args:
        columns: arrays [examples].
        batch_size: lanes per batch.
        sizes: int [examples], the room that each example needs; None where all need none.
    """
    n_examples = len(next(iter(columns.values())))
    if batch_size < 1:
        raise InputError(f"training.batch_size: expected at least 1, found {batch_size}")
    steps = -(-n_examples // batch_size)
    padding = steps * batch_size - n_examples
    order = np.arange(n_examples) if sizes is None else np.argsort(sizes, kind="stable")
    strata = np.concatenate([np.full(padding, -1), order]).reshape(batch_size, steps)
    layout = {} if sizes is None else ragged_layout(np.where(strata < 0, 0, sizes[strata]).max(axis=1))
    on_device = {name: jnp.asarray(column) for name, column in columns.items()}
    return Batches(on_device, jnp.asarray(strata, jnp.int32), layout)


def ragged_layout(sizes: np.ndarray) -> dict[str, jax.Array]:
    """Lays rows of the given sizes end to end: the row (`lane`) and position (`slot`) of each place."""
    lane = np.repeat(np.arange(len(sizes)), sizes)
    slot = np.arange(len(lane)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return {"lane": jnp.asarray(lane, jnp.int32), "slot": jnp.asarray(slot, jnp.int32)}


def stack_layouts(layouts: list[dict[str, jax.Array]], n_lanes: int) -> dict[str, jax.Array]:
    """Stacks layouts of n_lanes rows each, filled up to one size, along a leading axis, on the host."""
    room = max(layout["lane"].size for layout in layouts)
    # What fills up lies past the end of the last lane's history.
    fills = {"lane": n_lanes - 1, "slot": np.iinfo(np.int32).max // 2}
    return {
        name: jnp.asarray(np.stack([np.pad(a[name], (0, room - a[name].size), constant_values=fill) for a in layouts]))
        for name, fill in fills.items()
    }


def shuffle(batches: Batches, key: jax.Array) -> jax.Array:
    """Returns the epoch's order, int32 [lanes, steps]: a permutation of the examples.

    With sizes, every stratum is permuted in itself; without, all examples are.
    """
    if not batches.layout:
        return jax.random.permutation(key, batches.strata.reshape(-1)).reshape(batches.strata.shape)
    draws = jnp.argsort(jax.random.uniform(key, batches.strata.shape), axis=1)
    return jnp.take_along_axis(batches.strata, draws, axis=1)


def take(batches: Batches, order: jax.Array, step: jax.Array | int) -> dict[str, jax.Array]:
    """Returns batch number `step` of the epoch.

    The entry `example` [lanes] numbers the examples, and `weight` [lanes] is 1 for an example and 0
    for padding, whose other entries repeat example 0.
    """
    rows = jax.lax.dynamic_index_in_dim(order, step, axis=1, keepdims=False)
    batch = {name: column[jnp.maximum(rows, 0)] for name, column in batches.columns.items()}
    weight = (rows >= 0).astype(jnp.float32)
    return {**batch, **batches.layout, "example": jnp.maximum(rows, 0), "weight": weight}


def divide_batches(batches: Batches, n: int) -> tuple[Batches, Batches]:
    """Divides the lanes of every batch among n devices: device k takes the lanes k, k + n, ...

    Returns:
        The batches, whose layout has a leading axis [n], and the axes of their leaves (0 or None).
    """
    sizes = np.bincount(np.asarray(batches.layout["lane"]), minlength=batches.batch_size) if batches.layout else None
    axes = jax.tree.map(lambda _: None, batches)._replace(layout=dict.fromkeys(batches.layout, 0))
    if sizes is None:
        return batches, axes
    layouts = [ragged_layout(sizes[k::n]) for k in range(n)]
    return batches._replace(layout=stack_layouts(layouts, batches.batch_size // n)), axes


def divide_order(order: jax.Array, n: int) -> jax.Array:
    """Divides an epoch's order [lanes, steps] as `divide_batches` does: [n, lanes / n, steps]."""
    return order.reshape(-1, n, order.shape[1]).swapaxes(0, 1)


class Histories(NamedTuple):
    """The items that each user liked in train, ascending by user and then by item.

    Attributes:
        items: int32 [positives].
        start, length: int32 [users], where a user's items lie.
    """

    items: jax.Array
    start: jax.Array
    length: jax.Array


def make_histories(users: np.ndarray, items: np.ndarray, n_users: int, n_items: int) -> Histories:
    """Groups liked rows, given as int arrays [positives], by user.

    Raises:
        InputError: a user liked every item, so that `draw_unseen` has nothing to draw.
    """
    order = np.lexsort((items, users))
    length = np.bincount(users, minlength=n_users)
    if length.max() >= n_items:
        raise InputError("a user liked every item in train: nothing is left to draw")
    start = np.cumsum(length) - length
    return Histories(*(jnp.asarray(a, jnp.int32) for a in (items[order], start, length)))


def draw_unseen(
    key: jax.Array, histories: Histories, users: jax.Array, examples: jax.Array, n_draws: int, n_items: int
) -> jax.Array:
    """Draws items that the users have not liked, as uniformly as jax.random.randint and without rejection.

    A user with m liked items p_0 < p_1 < ... has n_items - m others; the one of rank r among them is
    r + k, where k counts the liked items with p_k - k <= r, found by bisection.

    Args:
        key: PRNG key.
        histories: liked items.
        users: int [B].
        examples: int [B], by whose numbers the draws differ, so that a device draws for its share of a
            batch what one would for the whole.
        n_draws: draws per user, with replacement.
        n_items: number of items.

    Returns:
        int32 [B, n_draws].
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, examples)
    start, length = histories.start[users][:, None], histories.length[users][:, None]
    draw = jax.vmap(lambda key, n_others: jax.random.randint(key, (n_draws,), 0, n_others, jnp.int32))
    rank = draw(keys, n_items - length[:, 0])

    def halve(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = (low + high) // 2
        passed = (low < high) & (histories.items[start + jnp.minimum(middle, length - 1)] - middle <= rank)
        return jnp.where(passed, middle + 1, low), jnp.where(passed, high, middle)

    n_halvings = int(histories.items.shape[0]).bit_length()
    low, _ = jax.lax.fori_loop(0, n_halvings, halve, (jnp.zeros_like(rank), jnp.broadcast_to(length, rank.shape)))
    return rank + low


def random_subset(key: jax.Array, n: int, size: int) -> jax.Array:
    """Chooses `size` of `n` things, every such subset being as likely: bool [n], without sorting.

    The things whose random words are smallest; their bound is found bit by bit.
    """
    words = jax.random.bits(key, (n,), jnp.uint32)

    def refine(i: jax.Array, bound: jax.Array) -> jax.Array:
        raised = bound | (jnp.uint32(1 << 31) >> i)
        return jnp.where(jnp.sum(words < raised) <= size, raised, bound)

    bound = jax.lax.fori_loop(jnp.uint32(0), jnp.uint32(32), refine, jnp.uint32(0))
    below, tied = words < bound, words == bound
    return below | (tied & (jnp.cumsum(tied) <= size - below.sum()))
