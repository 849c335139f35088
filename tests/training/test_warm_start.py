"""Starting from trained parameters: rows of known ids are kept, wherever they stand now."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.errors import InputError
from hkjax.training.warm_start import transfer_rows

OLD = {"item": jnp.array([[1.0], [2.0], [3.0]]), "gate": jnp.ones(2)}
NEW = {"item": jnp.zeros((4, 1)), "gate": jnp.zeros(2)}
OLD_ROWS, NEW_ROWS = {"item": ["a", "b", "c"]}, {"item": ["c", "new", "a", "b"]}


def test_known_rows_are_kept_and_new_ones_are_fresh():
    found = jax.jit(lambda new: transfer_rows(new, OLD, NEW_ROWS, OLD_ROWS))(NEW)
    np.testing.assert_array_equal(found["item"][:, 0], [3, 0, 1, 2])
    np.testing.assert_array_equal(found["gate"], [1, 1])


@pytest.mark.parametrize(
    ("old", "message"),
    [
        ({**OLD, "item": jnp.zeros((3, 2))}, r"item has shape \[3, 2\] there, \[4, 1\] here"),
        ({**OLD, "gate": jnp.zeros(3)}, r"gate has shape \[3\] there, \[2\] here"),
        ({"item": OLD["item"]}, "the model there has other parameters"),
    ],
)
def test_another_model_is_refused(old, message):
    with pytest.raises(InputError, match=message):
        transfer_rows(NEW, old, NEW_ROWS, OLD_ROWS)
