"""HAKG's user and item vectors, whose inner products are the scores."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.geometry import poincare
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs
from hkjax.models.hakg.parameters import HAKGParameters
from hkjax.models.hakg.propagation import Embeddings, propagate
from hkjax.ops.lookup import leading_rows
from hkjax.ops.rows import l2_normalize


class HAKGRepresentation(NamedTuple):
    """Arrays for ranking and pictures, computed once.

    Attributes:
        user: unit rows [users, d].
        item: rows [items, d], whose inner products with users are scores.
        entity_points: the entities in the Poincare ball before propagation, [entities, d].
    """

    user: jax.Array
    item: jax.Array
    entity_points: jax.Array


def item_tables(x: Embeddings, inputs: HAKGInputs) -> list[jax.Array]:
    """Returns the item tables that are scored, [items, d] each: entities and, with dual items, collaborative ones."""
    entity = leading_rows(x.entity, inputs.item_degree.size)
    return [entity] if x.item is None else [entity, x.item]


def encode(config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs) -> HAKGRepresentation:
    """Computes users and items from the whole graph."""
    x = propagate(config, p, inputs, None)
    tables = jnp.stack(item_tables(x, inputs))
    item = l2_normalize(tables.sum(0)) if config.score == "cosine_of_sum" else l2_normalize(tables).sum(0)
    return HAKGRepresentation(l2_normalize(x.user), item, poincare.exp_map_zero(p.entity, 1.0))
