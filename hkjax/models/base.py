"""What training and evaluation know of a model."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from hkjax.data.sampling import Batches

Params = Any
Inputs = Any
Representation = Any
Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]

AXIS = "devices"


class Shares(NamedTuple):
    """A model's training divided among n devices, which sum over the named axis what each computes apart.

    Attributes:
        inputs: the inputs, divided leaves with a leading axis [n].
        axes: pytree like `inputs`: 0 for a divided leaf, None for one that every device holds whole.
        loss: as `Recommender.loss`, of a device's share of the inputs and of the batch, to be called
            where the axis `AXIS` is bound; the mean over the devices is the loss of the whole batch,
            and the mean of their gradients its gradient.
    """

    inputs: Inputs
    axes: Any
    loss: Callable[[Params, Inputs, Batch, jax.Array], tuple[jax.Array, Metrics]]


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
        split: (n) -> `Shares` for n devices; without it, devices share the batch alone.
    """

    inputs: Inputs
    batches: Batches
    init: Callable[[jax.Array], Params]
    loss: Callable[[Params, Inputs, Batch, jax.Array], tuple[jax.Array, Metrics]]
    encode: Callable[[Params, Inputs], Representation]
    score: Callable[[Representation, jax.Array, jax.Array], jax.Array]
    rank_scores: Callable[[Representation, jax.Array], jax.Array]
    split: Callable[[int], Shares] | None = None


def split(recommender: Recommender, n: int) -> Shares:
    """Divides a model's training among n devices."""
    if recommender.split is not None:
        return recommender.split(n)
    return Shares(recommender.inputs, jax.tree.map(lambda _: None, recommender.inputs), recommender.loss)


def over_devices(x: jax.Array, axis: str | None) -> jax.Array:
    """The sum over the devices of the axis; x itself without one."""
    return x if axis is None else jax.lax.psum(x, axis)
