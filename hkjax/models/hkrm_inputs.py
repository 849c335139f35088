"""The arrays that HKRM reads: the values of the items' attribute fields, and the users' histories."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Interactions
from hkjax.data.fields import AttributeFields
from hkjax.data.sampling import ragged_layout, stack_layouts
from hkjax.graph import sparse
from hkjax.models.base import Batch


class HKRMInputs(NamedTuple):
    """The arrays that HKRM reads and nobody trains.

    Attributes:
        values: which entities sum to which o_j: columns are those of the entity table's rows, and rows
            are item * n + field.
        present: bool [items, n], whether the item has a value in the field.
        history: int32 [positives], the items liked in train, by user.
        start, length: int32 [users], where a user's history lies.
        everyone: the layout (`lane`, `slot`) that holds the history of every user.
    """

    values: sparse.Edges
    present: jax.Array
    history: jax.Array
    start: jax.Array
    length: jax.Array
    everyone: Batch

    def divide(self, n: int) -> tuple["HKRMInputs", Any]:
        """Divides the fields' values and everyone's histories into n shares: the inputs, and their leaves' axes."""
        n_users, length = -(-self.length.size // n), np.asarray(self.length)
        histories = [ragged_layout(length[k * n_users : (k + 1) * n_users]) for k in range(n)]
        divided: dict[str, Any] = {
            "values": sparse.divide_edges(self.values, n),
            "everyone": stack_layouts(histories, n_users),
        }
        axes = jax.tree.map(lambda _: None, self)._replace(**jax.tree.map(lambda _: 0, divided))
        return self._replace(**divided), axes


def make_inputs(fields: AttributeFields, liked: Interactions, n_users: int, n_items: int) -> HKRMInputs:
    """Builds the inputs on the host, from the fields' values and the liked rows."""
    n_fields = len(fields.names)
    slots = fields.item.astype(np.int64) * n_fields + fields.field
    present = np.zeros(n_items * n_fields, bool)
    present[slots] = True
    values, _ = sparse.make_edges(slots, fields.value)
    length = np.bincount(liked.users, minlength=n_users).astype(np.int32)
    return HKRMInputs(
        values=values,
        present=jnp.asarray(present.reshape(n_items, n_fields)),
        history=jnp.asarray(liked.items[np.argsort(liked.users, kind="stable")]),
        start=jnp.asarray(np.cumsum(length) - length),
        length=jnp.asarray(length),
        everyone=ragged_layout(length),
    )
