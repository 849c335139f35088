"""Batches of training examples drawn on the device, in static shapes, each example once an epoch.

Examples may differ in length: HKRM's hold their user's whole history, from none to thousands of items. A batch of
random examples would need room for the longest histories many times over. So examples are bucketed by length: sorted,
and cut into as many buckets as a batch has rows. Row b of every batch is a random example of bucket b. The examples
of a bucket are nearly equal in length, so rows waste little room: in all at most one longest example beyond the
average batch.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.errors import InputError


class RaggedLayout(NamedTuple):
    """Positions of rows of different lengths, laid end to end.

    Attributes:
        row: int32 [positions], ascending.
        position: int32 [positions], from 0 on within each row.
        length: int32 [rows].
    """

    row: jax.Array
    position: jax.Array
    length: jax.Array


class Batches(NamedTuple):
    """The training examples as arrays on the device.

    Attributes:
        columns: arrays [examples] by name, such as user, item and label.
        buckets: int32 [batch size, steps], the examples that each row of a batch is drawn from; -1 is padding.
        layout: positions of the rows' histories, equal in every batch; None where examples have no length.
    """

    columns: dict[str, jax.Array]
    buckets: jax.Array
    layout: RaggedLayout | None

    @property
    def batch_size(self) -> int:
        """Rows per batch."""
        return self.buckets.shape[0]

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch."""
        return self.buckets.shape[1]


def bucket_by_length(columns: dict[str, np.ndarray], batch_size: int, lengths: np.ndarray | None = None) -> Batches:
    """Prepares examples for `epoch_order` and `get_batch`.

    Args:
        columns: arrays [examples].
        batch_size: rows per batch.
        lengths: int [examples], the room that each example needs; None where none needs any.

    Raises:
        InputError: the batch size is not positive.
    """
    n_examples = len(next(iter(columns.values())))
    if batch_size < 1:
        raise InputError(f"training.batch_size: expected at least 1, found {batch_size}")
    steps = -(-n_examples // batch_size)
    padding = steps * batch_size - n_examples
    order = np.arange(n_examples) if lengths is None else np.argsort(lengths, kind="stable")
    buckets = np.concatenate([np.full(padding, -1), order]).reshape(batch_size, steps)
    layout = None
    if lengths is not None:
        layout = ragged_layout(np.where(buckets < 0, 0, lengths[buckets]).max(axis=1))
    on_device = {name: jnp.asarray(column) for name, column in columns.items()}
    return Batches(on_device, jax.device_put(buckets.astype(np.int32)), layout)


def epoch_order(batches: Batches, key: jax.Array) -> jax.Array:
    """Draws the order of an epoch, int32 [batch size, steps]: permutes all examples, or those of each bucket."""
    if batches.layout is None:
        return jax.random.permutation(key, batches.buckets.reshape(-1)).reshape(batches.buckets.shape)
    draws = jnp.argsort(jax.random.uniform(key, batches.buckets.shape), axis=1)
    return jnp.take_along_axis(batches.buckets, draws, axis=1)


def get_batch(batches: Batches, order: jax.Array, step: jax.Array | int) -> dict[str, Any]:
    """Returns batch `step` of the epoch.

    Returns:
        The columns' entries, [batch size] each; `example`, the indices of the examples; `weight`; and `layout`, if
        there is one. Padding repeats example 0 with weight 0. All examples have the weight that makes the mean over an
        epoch's batches the mean over its examples: 1 where nothing is padded.
    """
    rows = jax.lax.dynamic_index_in_dim(order, step, axis=1, keepdims=False)
    batch: dict[str, Any] = {name: column[jnp.maximum(rows, 0)] for name, column in batches.columns.items()}
    if batches.layout is not None:
        batch["layout"] = batches.layout
    n_examples = len(next(iter(batches.columns.values())))
    weight = jnp.where(rows >= 0, jnp.float32(batches.buckets.size / n_examples), 0)
    return {**batch, "example": jnp.maximum(rows, 0), "weight": weight}


def ragged_layout(lengths: np.ndarray) -> RaggedLayout:
    """Lays rows of the given lengths [rows] end to end, on the host."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    position = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return RaggedLayout(*(jax.device_put(x.astype(np.int32)) for x in (row, position, lengths)))


def shard_layout(layout: RaggedLayout, n: int, strided: bool = False) -> RaggedLayout:
    """Divides the rows of a layout into n equal parts, on the host: arrays with a leading axis [n], padded.

    Args:
        layout: its rows; n need not divide their count.
        n: number of parts.
        strided: part k has the rows k, k + n, ... instead of consecutive ones.
    """
    lengths = np.pad(np.asarray(layout.length), (0, -layout.length.size % n))
    parts = [ragged_layout(x) for x in (lengths.reshape(-1, n).T if strided else lengths.reshape(n, -1))]
    n_rows, room = lengths.size // n, max(part.row.size for part in parts)
    # Padding lies past the end of the last row's history; adding to it does not overflow.
    fills = {"row": n_rows - 1, "position": np.iinfo(np.int32).max // 2}

    def stack(name: str, fill: int) -> jax.Array:
        columns = [np.asarray(getattr(part, name)) for part in parts]
        return jnp.asarray(np.stack([np.pad(x, (0, room - x.size), constant_values=fill) for x in columns]))

    stacked = {name: stack(name, fill) for name, fill in fills.items()}
    return RaggedLayout(**stacked, length=jnp.stack([part.length for part in parts]))


def shard_order(order: jax.Array, n: int) -> jax.Array:
    """Divides the rows of every batch among n devices, device k taking the rows k, k + n, ...

    Args:
        order: [batch size, steps].
        n: number of devices, which divides the batch size.

    Returns:
        [n, batch size / n, steps].
    """
    return order.reshape(-1, n, order.shape[1]).swapaxes(0, 1)
