"""The arrays that HKRM reads: the values of the items' attribute fields, and the users' histories."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Interactions
from hkjax.data.fields import AttributeFields
from hkjax.data.sampling import ragged_layout, stack_layouts
from hkjax.graph.segment import Incidence, incidence, stack_incidences
from hkjax.models.base import Batch


class HKRMInputs(NamedTuple):
    """The arrays that HKRM reads and nobody trains.

    Attributes:
        values: which entities sum to which o_j: sources are rows of the entity table, segments are
            item * n + field.
        present: bool [items, n], whether the item has a value in the field.
        history: int32 [positives], the items liked in train, by user.
        start, length: int32 [users], where a user's history lies.
        everyone: the layout (`lane`, `slot`) that holds the history of every user.
    """

    values: Incidence
    present: jax.Array
    history: jax.Array
    start: jax.Array
    length: jax.Array
    everyone: Batch

    def divide(self, n: int, fields: AttributeFields) -> tuple["HKRMInputs", Any]:
        """Divides the fields' values and everyone's histories into n shares.

        Returns:
            The inputs, and the axes of their leaves (0 or None).
        """
        segments, sizes = _segments(fields), (len(fields.entities), self.present.size)
        values = [incidence(fields.value[k::n], segments[k::n], *sizes) for k in range(n)]
        n_users, length = -(-self.length.size // n), np.asarray(self.length)
        histories = [ragged_layout(length[k * n_users : (k + 1) * n_users]) for k in range(n)]
        divided: dict[str, Any] = {
            "values": stack_incidences(values, *sizes),
            "everyone": stack_layouts(histories, n_users),
        }
        axes = jax.tree.map(lambda _: None, self)._replace(**jax.tree.map(lambda _: 0, divided))
        return self._replace(**divided), axes


def make_inputs(fields: AttributeFields, liked: Interactions, n_users: int, n_items: int) -> HKRMInputs:
    """Builds the inputs on the host, from the fields' values and the liked rows."""
    segments, n_fields = _segments(fields), len(fields.names)
    present = np.zeros(n_items * n_fields, bool)
    present[segments] = True
    length = np.bincount(liked.users, minlength=n_users).astype(np.int32)
    return HKRMInputs(
        values=incidence(fields.value, segments, len(fields.entities), present.size),
        present=jnp.asarray(present.reshape(n_items, n_fields)),
        history=jnp.asarray(liked.items[np.argsort(liked.users, kind="stable")]),
        start=jnp.asarray(np.cumsum(length) - length),
        length=jnp.asarray(length),
        everyone=ragged_layout(length),
    )


def _segments(fields: AttributeFields) -> np.ndarray:
    return fields.item.astype(np.int64) * len(fields.names) + fields.field
