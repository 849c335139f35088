"""What training and evaluation know of a model."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from hkjax.data.sampling import Batches
from hkjax.errors import InputError
from hkjax.models.devices import Devices

Params = Any
Inputs = Any
Representation = Any
Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]

AXIS = "devices"


class Shares(NamedTuple):
    """A model divided among n devices, which sum over the axis `AXIS` what each computes apart.

    Attributes:
        inputs: the inputs, divided leaves with a leading axis [n].
        axes: pytree like `inputs`: 0 for a divided leaf, None for one that every device holds whole.
        loss: as `Recommender.loss`, of a device's share of the inputs and of the batch, to be called
            where the axis is bound; the mean over the devices is the loss of the whole batch, and the
            mean of their gradients its gradient.
        encode: as `Recommender.encode` where tables are divided: the device's rows of every array.
        tables: names of the parameters that are tables, whose rows can be divided.
    """

    inputs: Inputs
    axes: Any
    loss: Callable[[Params, Inputs, Batch, jax.Array], tuple[jax.Array, Metrics]]
    encode: Callable[[Params, Inputs], Representation]
    tables: tuple[str, ...]


class Recommender(NamedTuple):
    """A model as pure functions, in the manner of optax's GradientTransformation.

    Attributes:
        inputs: pytree of the arrays that nobody trains: graph, histories, attribute fields. Passed
            into every function, never closed over.
        batches: the training examples, in the form that `loss` expects of them.
        init: (key) -> params.
        loss: (params, inputs, batch, key) -> (scalar, metrics). `batch` holds arrays [B] by name,
            with `weight` 0 for padding; the scalar is the mean over its B lanes.
        encode: (params, inputs) -> representation of all users and items.
        score: (representation, users [B], items [B]) -> logits [B].
        rank_scores: (representation, users [B]) -> scores [B, n_items].
        split: (n, devices) -> `Shares` for n devices, which hold all tables whole, or their own rows of
            them; without it, devices share the batch alone.
    """

    inputs: Inputs
    batches: Batches
    init: Callable[[jax.Array], Params]
    loss: Callable[[Params, Inputs, Batch, jax.Array], tuple[jax.Array, Metrics]]
    encode: Callable[[Params, Inputs], Representation]
    score: Callable[[Representation, jax.Array, jax.Array], jax.Array]
    rank_scores: Callable[[Representation, jax.Array], jax.Array]
    split: Callable[[int, Devices], Shares] | None = None


def split(recommender: Recommender, n: int, divide_tables: bool) -> Shares:
    """Divides a model among n devices.

    Raises:
        InputError: its tables are to be divided, and it does not know how.
    """
    r = recommender
    if r.split is not None:
        return r.split(n, Devices(AXIS, n if divide_tables else 1))
    if divide_tables:
        raise InputError("shard_embeddings: this model does not divide its tables")
    return Shares(r.inputs, jax.tree.map(lambda _: None, r.inputs), r.loss, r.encode, ())
