"""HAKG's parameters: their names, shapes and initial values."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
from flax import linen as nn

from hkjax.models.hakg.config import HAKGConfig
from hkjax.ops.lookup import num_local_rows

# W1 and W2 of one layer, [d, d], or of all, [layers, d, d]; None without a gate.
Gates = tuple[jax.Array, jax.Array] | None


class HAKGParameters(NamedTuple):
    """The trained arrays; embedding size d. Embeddings are tangent vectors at 0 of the Poincare ball.

    Attributes:
        user: [users, d].
        entity: [entities, d], items first.
        relation: [2 * relations, d], the inverse ones last.
        item: collaborative embeddings [items, d]; None without dual items.
        gates: W1 and W2 of every layer, [layers, d, d] each; None without a gate.
    """

    user: jax.Array
    entity: jax.Array
    relation: jax.Array
    item: jax.Array | None
    gates: Gates


class HAKG(nn.Module):
    """A module that draws and names the parameters; it computes nothing.

    Attributes:
        config: the choices.
        n_users, n_items, n_entities, n_relations: sizes, relations without their inverses.
    """

    config: HAKGConfig
    n_users: int
    n_items: int
    n_entities: int
    n_relations: int

    @nn.compact
    def __call__(self) -> HAKGParameters:
        """Returns the parameters, given to `apply` or drawn by `init`."""
        c, xavier = self.config, nn.initializers.xavier_uniform()
        # Users and entities are initialised as one matrix, as in the official code.
        both = _uniform((6 / (self.n_users + self.n_entities + c.dim)) ** 0.5)
        user = self.param("user", both, (num_local_rows(self.n_users), c.dim))
        entity = self.param("entity", both, (num_local_rows(self.n_entities), c.dim))
        relation = self.param("relation", xavier, (2 * self.n_relations, c.dim))
        item, gates = None, None
        if c.dual_items:
            item = self.param("item", xavier, (num_local_rows(self.n_items), c.dim))
        if c.dual_items and c.gate:
            limit, shape = _uniform(c.dim**-0.5), (c.layers, c.dim, c.dim)
            gates = self.param("item_gate", limit, shape), self.param("entity_gate", limit, shape)
        return HAKGParameters(user, entity, relation, item, gates)


def _uniform(limit: float) -> Callable[..., jax.Array]:
    return partial(jax.random.uniform, minval=-limit, maxval=limit)
