"""What HAKG's parameters come to: rows whose inner products are scores."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.geometry import radial
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs
from hkjax.models.hakg.parameters import HAKGParameters
from hkjax.models.hakg.propagation import Embeddings, propagate
from hkjax.ops.lookup import leading_rows
from hkjax.ops.rows import l2_normalize


class HAKGRepresentation(NamedTuple):
    """What ranking and pictures need, computed once.

    Attributes:
        user: unit rows [users, d].
        item: rows [items, d], whose inner products with users are scores.
        entity_points: the entities in the Poincare ball before propagation, [entities, d].
    """

    user: jax.Array
    item: jax.Array
    entity_points: jax.Array


def exp_0(x: jax.Array) -> jax.Array:
    """The points of the ball that tangent vectors at 0 lead to, [..., d] to [..., d]."""
    return radial.tanhc(jnp.sum(x**2, axis=-1, keepdims=True)) * x


def item_tables(config: HAKGConfig, x: Embeddings, inputs: HAKGInputs) -> list[jax.Array]:
    """The item tables that are scored, [items, d] each: entities and, with dual items, collaborative embeddings."""
    entity = leading_rows(x.entity, inputs.item_degree.size)
    return [entity, x.item] if config.dual_items else [entity]


def encode(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs) -> HAKGRepresentation:
    """Users and items, from the whole graph."""
    x = propagate(config, p, inputs, None)
    tables = jnp.stack(item_tables(config, x, inputs))
    item = l2_normalize(tables.sum(0)) if config.score == "cosine_of_sum" else l2_normalize(tables).sum(0)
    return HAKGRepresentation(l2_normalize(x.user), item, exp_0(p.entity))
