import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops import top_k
from hkjax.ops.lowerings import searches


@pytest.mark.parametrize(("n", "k"), [(200, 1), (200, 2), (640, 9), (641, 5), (1000, 1000)])
@pytest.mark.parametrize("values", [3, 10_000])
def test_groups_hold_the_largest_scores_the_first_of_equal_ones_first(n, k, values):
    random = np.random.default_rng(n)
    scores = random.integers(values, size=(30, n)).astype(np.float32)
    scores[random.random(scores.shape) < random.random((30, 1))] = -np.inf
    scores[0] = -np.inf
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    for found in (searches.top_by_groups(jnp.asarray(scores), min(k, n // 64)), top_k.top_k(jnp.asarray(scores), k)):
        values, items = map(np.asarray, found)
        np.testing.assert_array_equal(items, expected[:, : items.shape[1]])
        np.testing.assert_array_equal(values, np.take_along_axis(scores, items, axis=1))


@pytest.mark.parametrize(("n", "in_groups"), [(1000, True), (640, False)])
def test_gpus_leave_out_groups_where_there_are_many(n, in_groups):
    scores = jax.ShapeDtypeStruct((4, n), jnp.float32)
    text = jax.jit(lambda scores: top_k.top_k(scores, 10)).trace(scores).lower(lowering_platforms=("cuda",)).as_text()
    assert (text.count("chlo.top_k") > 1) == in_groups
