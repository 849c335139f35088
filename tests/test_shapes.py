"""Errors of the public operations name the function and the argument."""

import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops.lookup import bag, segment_scores, take_rows, take_whole
from hkjax.ops.neighbours import draw_neighbours, make_neighbours
from hkjax.ops.pairs import pair_gram, score_samples
from hkjax.ops.segment import segment_mean, segment_softmax
from hkjax.ops.sparse import edge_mean, make_edges, sddmm, spmm, spmm_transposed
from hkjax.ops.top_k import top_k
from hkjax.ops.triples import edge_gram
from hkjax.regression import ridge_regression

EDGES = make_edges(np.array([0, 1]), np.array([1, 0]), np.array([0, 0]))
TABLE, IDS, VECTOR = jnp.ones((3, 2)), jnp.zeros(4, int), jnp.ones(3)
CALLS = {
    r"spmm: weights \[3\], edges \[2\]": lambda: spmm(VECTOR, TABLE, EDGES, 3),
    r"spmm: x": lambda: spmm(jnp.ones(1), VECTOR, EDGES, 3),
    r"spmm_transposed: y": lambda: spmm_transposed(jnp.ones(1), VECTOR, EDGES, 3),
    r"sddmm: y \[3, 2\], x \[3, 1\]": lambda: sddmm(TABLE, TABLE[:, :1], EDGES),
    r"edge_mean: values \[3\], edges \[2\]": lambda: edge_mean(VECTOR, EDGES),
    r"take_rows: table": lambda: take_rows(VECTOR, IDS),
    r"take_rows: ids must hold integers, found float32": lambda: take_rows(TABLE, jnp.ones(4)),
    r"take_whole: x": lambda: take_whole(jnp.ones((2, 2, 2)), IDS),
    r"bag: ids \[4\], weights \[3\], segments \[4\]": lambda: bag(TABLE, IDS, VECTOR, IDS, 2),
    r"segment_scores: vectors": lambda: segment_scores(TABLE, TABLE, IDS, IDS),
    r"segment_scores: table \[3, 2\] for vectors \[2, 2, 2\]": lambda: segment_scores(
        jnp.ones((2, 2, 2)), TABLE, IDS, IDS
    ),
    r"draw_neighbours: nodes": lambda: draw_neighbours(jnp.zeros(2), make_neighbours(EDGES, 3), TABLE, 2),
    r"score_samples: rows \[3, 2\], ids \[4, 1\]": lambda: score_samples(TABLE, [TABLE], IDS[:, None]),
    r"pair_gram: x": lambda: pair_gram(VECTOR, EDGES),
    r"segment_mean: x \[3\], segments \[4\]": lambda: segment_mean(VECTOR, IDS, 2, IDS == 0),
    r"segment_softmax: logits \[3\]": lambda: segment_softmax(VECTOR, IDS, 2, IDS == 0),
    r"edge_gram: relation": lambda: edge_gram(TABLE, VECTOR, EDGES),
    r"top_k: scores": lambda: top_k(VECTOR, 2),
    r"ridge_regression: x \[3, 2\], y \[2, 2\]": lambda: ridge_regression(TABLE, TABLE[:2]),
}


@pytest.mark.parametrize("message", CALLS)
def test_an_error_names_function_and_argument(message):
    with pytest.raises(AssertionError, match=message):
        CALLS[message]()
