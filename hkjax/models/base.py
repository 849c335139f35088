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
    """

    inputs: Inputs
    batches: Batches
    init: Callable[[jax.Array], Params]
    loss: Callable[[Params, Inputs, Batch, jax.Array], tuple[jax.Array, Metrics]]
    encode: Callable[[Params, Inputs], Representation]
    score: Callable[[Representation, jax.Array, jax.Array], jax.Array]
    rank_scores: Callable[[Representation, jax.Array], jax.Array]
