"""o_j of eq. 3: the sums of the embeddings of items' values, field by field.

Either all are summed, once a step, or those of a batch's items are estimated from some of their values. These are drawn
again for each step; its cost then does not depend on the number of values. Estimates of o_j are unbiased; through the
softmaxes of eq. 4 and 5 a bias remains.
"""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.inputs import HKRMInputs
from hkjax.models.hkrm.parameters import HKRMParameters
from hkjax.ops.lookup import padded_size, segment_scores, take_rows
from hkjax.ops.neighbours import draw_neighbours
from hkjax.ops.segment import Ragged
from hkjax.ops.sparse import spmm


class AllValues(NamedTuple):
    """o of all items.

    Attributes:
        table: o of every item, [items, n d].
        n_fields: n.
    """

    table: jax.Array
    n_fields: int

    def of_items(self, items: jax.Array) -> jax.Array:
        """Reads o of items [B]: [B, n, d]."""
        return take_rows(self.table, items).reshape(len(items), self.n_fields, -1)

    def segment_scores(self, vectors: jax.Array, items: jax.Array, segments: jax.Array) -> jax.Array:
        """Computes o_j . vectors[segments, j] of items [m], in segments int [m]: [m, n] from vectors [B, n, d]."""
        return segment_scores(vectors, self.table, items, segments)


class DrawnValues(NamedTuple):
    """Estimates of o of any items, from at most `fan_out` values each.

    Attributes:
        key: PRNG key.
        entity: the values' embeddings, [entities, d].
        by_item: the values of each item.
        n_fields: n.
        fan_out: at least 1.
    """

    key: jax.Array
    entity: jax.Array
    by_item: Ragged
    n_fields: int
    fan_out: int

    def of_items(self, items: jax.Array) -> jax.Array:
        """Estimates o of items [B] without bias: [B, n, d]; o itself where an item has `fan_out` values or fewer."""
        draw = draw_neighbours(self.key, self.by_item, items, self.fan_out)
        # All values of an item are equally likely to be drawn.
        scale = self.by_item.length[items][:, None] / jnp.maximum(draw.expected, 1)
        weight = jnp.where(draw.present, scale, 0).astype(self.entity.dtype)
        by_field = jax.nn.one_hot(draw.attr, self.n_fields, dtype=weight.dtype) * weight[:, :, None]
        return jnp.einsum("bkn,bkd->bnd", by_field, take_rows(self.entity, draw.ids))

    def segment_scores(self, vectors: jax.Array, items: jax.Array, segments: jax.Array) -> jax.Array:
        """Estimates the scores that `AllValues` computes."""
        return (self.of_items(items) * vectors.at[segments].get(indices_are_sorted=True)).sum(-1)


Values: TypeAlias = AllValues | DrawnValues


def all_values(p: HKRMParameters, inputs: HKRMInputs) -> AllValues:
    """Sums the values of every item's fields."""
    n_items, n_fields = inputs.field_mask.shape
    ones = jnp.ones(inputs.values.rows.shape[0], p.entity.dtype)
    rows = spmm(ones, p.entity, inputs.values, padded_size(n_items) * n_fields)
    return AllValues(rows.reshape(-1, n_fields * rows.shape[1]), n_fields)


def step_values(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs, key: jax.Array) -> tuple[Values, Values]:
    """Returns a training step's values, of the queries' items and of the targets."""
    if inputs.values_by_item is None:
        values = all_values(p, inputs)
        return values, values
    keys, n_fields = jax.random.split(key), inputs.field_mask.shape[1]
    query, target = (DrawnValues(k, p.entity, inputs.values_by_item, n_fields, config.fan_out) for k in keys)
    return query, target
