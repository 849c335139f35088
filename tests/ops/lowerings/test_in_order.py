import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops.lowerings import in_order
from hkjax.ops.segment import segment_sum


@pytest.mark.parametrize("counts", [[0, 9, 0, 4, 1], [14, 0, 0, 0, 0], [0, 0, 0, 0, 40], [1, 1, 1, 1, 1]])
def test_pieces_of_segments_add_up_to_them(counts, monkeypatch):
    monkeypatch.setattr(in_order, "_PIECE", 2)
    beyond = [2**30] * 3 + [2**31 - 1]  # Padding, which adds nothing.
    segments = jnp.asarray(np.repeat([0, 1, 2, 3, 4], counts).tolist() + beyond, jnp.int32)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(len(segments), 3)))
    by_pieces = jax.jit(lambda x: in_order.segment_sum_by_pieces(x, segments, 5))
    np.testing.assert_allclose(by_pieces(x), segment_sum(x, segments, 5), rtol=1e-5, atol=1e-6)
