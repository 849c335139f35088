"""HKRM's user and item vectors, whose inner products are the scores, and the fields' probabilities."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.inputs import HKRMInputs
from hkjax.models.hkrm.parameters import HKRMParameters
from hkjax.models.hkrm.sides import duet_vector, query, read_history, target
from hkjax.models.hkrm.values import all_values
from hkjax.ops.lookup import local_rows


class HKRMRepresentation(NamedTuple):
    """Arrays for ranking and explaining, computed once.

    Attributes:
        user, item: [users, d] and [items, d]; eq. 10 is their inner product, plus the bias.
        bias: [items].
        preference: P(A|q) of each user, [users, n].
        importance: P^(A|t) of each item, [items, n].
    """

    user: jax.Array
    item: jax.Array
    bias: jax.Array
    preference: jax.Array
    importance: jax.Array


def encode(config: HKRMConfig, p: HKRMParameters, inputs: HKRMInputs) -> HKRMRepresentation:
    """Computes the representation of all users and items."""
    values = all_values(p, inputs)
    users, items = (local_rows(jnp.arange(n)) for n in (inputs.histories.start.size, inputs.field_mask.shape[0]))
    history = read_history(inputs, users, inputs.all_users_layout, jnp.full_like(users, -1))
    q, (t, _) = query(config, p, inputs, values, history), target(config, p, inputs, values, items)
    sides = duet_vector(config, p, q), duet_vector(config, p, t)
    return HKRMRepresentation(*sides, local_rows(p.bias), q.probabilities, t.probabilities)
