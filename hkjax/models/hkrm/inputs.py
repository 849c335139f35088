"""The arrays that HKRM reads: the values of the items' attribute fields, and the users' histories."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.batching import RaggedLayout, ragged_layout
from hkjax.data.dataset import Interactions
from hkjax.data.fields import AttributeFields
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.ops.neighbours import make_neighbours
from hkjax.ops.sampling import make_histories
from hkjax.ops.segment import Ragged
from hkjax.ops.sparse import Edges, make_edges


class HKRMInputs(NamedTuple):
    """The arrays that HKRM reads and does not train.

    Attributes:
        values: the entities that sum to each o_j: rows are item * n + field, columns are rows
            of the entity table.
        field_mask: bool [items, n], whether the item has a value in the field.
        histories: the positive items of each user in train.
        all_users_layout: layout of the histories of all users.
        values_by_item: each item's values and their fields, where a step draws values; else None.
    """

    values: Edges
    field_mask: jax.Array
    histories: Ragged
    all_users_layout: RaggedLayout
    values_by_item: Ragged | None = None


def make_inputs(
    config: HKRMConfig, fields: AttributeFields, positives: Interactions, n_users: int, n_items: int
) -> HKRMInputs:
    """Builds the inputs on the host, from the fields' values and the positive rows of train."""
    n_fields = len(fields.names)
    rows = fields.item.astype(np.int64) * n_fields + fields.field
    field_mask = np.zeros(n_items * n_fields, bool)
    field_mask[rows] = True
    histories = make_histories(positives.users, positives.items, n_users)
    values = make_edges(rows, fields.value)
    by_item = None
    if config.sampling == "neighbours":
        by_item = make_neighbours(make_edges(fields.item, fields.value, fields.field.astype(np.int32)), n_items)
    return HKRMInputs(
        values=values,
        field_mask=jnp.asarray(field_mask.reshape(n_items, n_fields)),
        histories=histories,
        all_users_layout=ragged_layout(np.asarray(histories.length)),
        values_by_item=by_item,
    )
