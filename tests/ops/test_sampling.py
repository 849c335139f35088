import jax
import jax.numpy as jnp
import numpy as np
from hkjax.models.dropout import dropout


def test_so_many_entries_are_dropped_and_the_mean_stays():
    x = dropout(jax.random.key(0), jnp.ones((1001, 101)), 0.1)
    values = np.unique(np.asarray(x))
    np.testing.assert_allclose(values, [0, 1 / 0.9], rtol=1e-4)
    # Of 101,101 entries, to five standard deviations.
    assert abs(float((x == 0).mean()) - 0.1) < 5 * (0.09 / 101_101) ** 0.5


def test_entries_that_share_a_word_are_dropped_independently():
    dropped = np.asarray(dropout(jax.random.key(1), jnp.ones((20_000, 2)), 0.5)) == 0
    assert abs((dropped[:, 0] & dropped[:, 1]).mean() - 0.25) < 5 * (0.1875 / 20_000) ** 0.5
