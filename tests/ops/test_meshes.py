"""Every operation is, on meshes of devices, the function of whole arrays that its docstring says."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from hkjax.ops import pairs
from hkjax.ops.collectives import DATA, ROWS, pad_rows, psum
from hkjax.ops.lookup import bag, leading_rows, local_rows, segment_scores, square_norm, take_rows
from hkjax.ops.messages import Coefficients
from hkjax.ops.pairs import half_pair_gram, pair_gram, score_samples
from hkjax.ops.sparse import edge_mean, make_edges, sddmm, shard_edges, spmm, spmm_transposed
from hkjax.ops.triples import edge_gram, mean_message
from hkjax.training.partition import make_mesh

N, M, N_EDGES, N_RELATIONS, D = 11, 7, 53, 3, 5  # sizes that neither 2 nor 4 divides
RANDOM = np.random.default_rng(0)
ROW, COLUMN, OTHER = (
    RANDOM.integers(N, size=N_EDGES),
    RANDOM.integers(M, size=N_EDGES),
    RANDOM.integers(N, size=N_EDGES),
)
WEIGHT = RANDOM.normal(size=N_EDGES)
BIPARTITE = make_edges(ROW, COLUMN, WEIGHT)
GRAPH = make_edges(ROW, OTHER, RANDOM.integers(N_RELATIONS, size=N_EDGES))
X, Y = (RANDOM.normal(size=(n, D)) for n in (N, M))
RELATION = RANDOM.normal(size=(N_RELATIONS, D))
IDS, SEGMENTS = RANDOM.integers(N, size=9), np.sort(RANDOM.integers(4, size=9))
MEMBERS = RANDOM.integers(N, size=(9, 3))
VECTORS = RANDOM.normal(size=(4, 3, D))

# Each a function of tables x [11, d] and y [7, d] and of edges, to a scalar that is the mean over the devices.
OPERATIONS = {
    "spmm": lambda x, y, e, g: table_sum(spmm(e.attr, y, e, N), jnp.asarray(X)),
    "spmm_transposed": lambda x, y, e, g: table_sum(spmm_transposed(e.attr, x, e, M), jnp.asarray(Y)),
    "sddmm": lambda x, y, e, g: edge_mean(jnp.sin(sddmm(x, y, e)), e),
    "pair_gram": lambda x, y, e, g: sum(edge_mean(jnp.sin(part), g) for part in pair_gram(x, g)),
    "take_rows": lambda x, y, e, g: jnp.sin(take_rows(x, jnp.asarray(MEMBERS))).sum(),
    "leading_rows": lambda x, y, e, g: table_sum(leading_rows(x, M), jnp.asarray(Y)),
    "bag": lambda x, y, e, g: jnp.sin(
        bag(x, jnp.asarray(IDS), jnp.asarray(WEIGHT[:9]), jnp.asarray(SEGMENTS), 4)
    ).sum(),
    "bag of few": lambda x, y, e, g: jnp.sin(
        bag(x, jnp.asarray(IDS[:2]), jnp.asarray(WEIGHT[:2]), jnp.asarray(SEGMENTS[:2]), 4)
    ).sum(),
    "segment_scores": lambda x, y, e, g: jnp.sin(
        segment_scores(
            jnp.asarray(VECTORS), jnp.concatenate([x, x**2, -x], axis=1), jnp.asarray(IDS), jnp.asarray(SEGMENTS)
        )
    ).sum(),
    "square_norm": lambda x, y, e, g: square_norm(x) + square_norm(y) ** 2,
    "score_samples": lambda x, y, e, g: jnp.sin(score_samples(jnp.asarray(Y), [x], jnp.asarray(MEMBERS[:7]))[0]).sum(),
    "score_samples of two": lambda x, y, e, g: sum(
        jnp.sin(scores).sum() for scores in score_samples(jnp.asarray(Y), [x, x**2], jnp.asarray(MEMBERS[:7]))
    ),
    "edge_gram": lambda x, y, e, g: sum(edge_mean(jnp.sin(part), g) for part in edge_gram(x, jnp.asarray(RELATION), g)),
    "mean_message": lambda x, y, e, g: table_sum(mean_message(message, x, jnp.asarray(RELATION), g), jnp.asarray(X)),
}


def table_sum(table, weights):
    """A scalar of a table whose rows are divided, from weights that every device has."""
    return psum(jnp.sum(jnp.sin(table) * local_rows(weights)), ROWS)


def message(gram):
    return Coefficients(jnp.sin(gram.ht), jnp.cos(gram.hr), gram.tr)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@functools.cache
def on_one_device(name):
    return jax.jit(jax.value_and_grad(OPERATIONS[name], argnums=(0, 1)))(
        jnp.asarray(X), jnp.asarray(Y), BIPARTITE, GRAPH
    )


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (1, 4), (2, 2)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_gradients_are_those_of_whole_arrays(name, shape):
    value, gradients = on_one_device(name)
    n, n_rows = shape[0] * shape[1], shape[1]

    def on_device(x, y, edges, graph):
        edges, graph = jax.tree.map(lambda leaf: leaf[0], (edges, graph))
        found, (dx, dy) = jax.value_and_grad(OPERATIONS[name], argnums=(0, 1))(x, y, edges, graph)
        return psum(found, DATA, ROWS) / n, psum(dx, DATA) / n, psum(dy, DATA) / n

    mapped = jax.shard_map(
        on_device,
        mesh=make_mesh(shape),
        in_specs=(P(ROWS), P(ROWS), P((DATA, ROWS)), P((DATA, ROWS))),
        out_specs=(P(), P(ROWS), P(ROWS)),
        check_vma=False,
    )
    tables = (pad_rows(jnp.asarray(table), n_rows) for table in (X, Y))
    found, *found_gradients = jax.jit(mapped)(*tables, shard_edges(BIPARTITE, n), shard_edges(GRAPH, n))
    np.testing.assert_allclose(found, value, rtol=1e-12)
    for ours, expected in zip(found_gradients, gradients, strict=True):
        np.testing.assert_allclose(ours[: len(expected)], expected, rtol=1e-10, atol=1e-12)
        assert (np.asarray(ours)[len(expected) :] == 0).all()


@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (2, 2)])
def test_the_gram_over_half_of_the_dimensions_too(shape, monkeypatch):
    """With the same dimensions for every pair, so that all devices draw alike."""
    monkeypatch.setattr(pairs, "random_bits", lambda key, shape: jnp.full(shape, 0b10110, jnp.uint32))

    def mean(x, graph):
        return sum(edge_mean(jnp.sin(part), graph) for part in half_pair_gram(jax.random.key(0), x, graph))

    def on_device(x, graph):
        found, dx = jax.value_and_grad(mean)(x, jax.tree.map(lambda leaf: leaf[0], graph))
        return psum(found, DATA, ROWS) / 4, psum(dx, DATA) / 4

    specs = (P(ROWS), P((DATA, ROWS)))
    mapped = jax.shard_map(on_device, mesh=make_mesh(shape), in_specs=specs, out_specs=(P(), P(ROWS)), check_vma=False)
    found, gradient = jax.jit(mapped)(pad_rows(jnp.asarray(X), shape[1]), shard_edges(GRAPH, 4))
    value, expected = jax.jit(jax.value_and_grad(mean))(jnp.asarray(X), GRAPH)
    np.testing.assert_allclose(found, value, rtol=1e-12)
    np.testing.assert_allclose(gradient[:N], expected, rtol=1e-10, atol=1e-12)
    assert (np.asarray(expected)[:, [0, 3]] == 0).all()


def test_the_gradient_of_a_raw_lookup_is_wrong_where_rows_are_divided():
    """What the operations are for: this is how a model's own table[ids] would fail."""

    def raw(x):
        return jnp.sin(x[jnp.asarray(MEMBERS)]).sum()

    mapped = jax.shard_map(raw, mesh=make_mesh((1, 4)), in_specs=P(ROWS), out_specs=P(), check_vma=False)
    assert abs(float(jax.jit(mapped)(pad_rows(jnp.asarray(X), 4))) - float(raw(jnp.asarray(X)))) > 0.1


def test_half_of_the_dimensions_counts_drawn_anew_for_each_pair():
    ones = jnp.ones((N, 4000))
    aa, ab, bb = half_pair_gram(jax.random.key(0), ones, GRAPH)
    np.testing.assert_array_equal(aa, bb)
    np.testing.assert_array_equal(aa, ab)
    assert abs(float(aa.mean()) - 2000) < 5 * (1000 / N_EDGES) ** 0.5
    assert len(np.unique(aa)) > N_EDGES / 3


def test_edges_are_divided_evenly_and_padding_counts_nowhere():
    parts = shard_edges(BIPARTITE, 4)
    assert parts.rows.shape == parts.attr.shape == (4, 14)
    one = jax.tree.map(lambda leaf: leaf[3], parts)
    assert one.rows.max() > N
    np.testing.assert_allclose(edge_mean(jnp.ones(14), one), 1)
    np.testing.assert_allclose(spmm(jnp.ones(14), jnp.asarray(Y), one, N).sum(), Y[np.asarray(one.columns[:11])].sum())
