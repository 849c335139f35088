import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops import sparse
from hkjax.ops.lowerings import blocks

N_ROWS, N_COLUMNS, N_EDGES = 9, 13, 70


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", 16)


@pytest.fixture(scope="module")
def case():
    """Edges with a hub, a row and a column that have none, their weights and dense matrices of either side."""
    random = np.random.default_rng(0)
    columns = random.integers(N_COLUMNS - 1, size=N_EDGES)
    rows = np.where(random.random(N_EDGES) < 0.3, 2, random.integers(N_ROWS - 1, size=N_EDGES))
    edges = sparse.make_edges(rows, columns, attr=np.arange(N_EDGES))
    np.testing.assert_array_equal(edges.rows, np.sort(rows))
    np.testing.assert_array_equal(edges.columns, columns[edges.attr])
    with jax.enable_x64(True):
        weights, x, y = (jnp.asarray(random.normal(size=n)) for n in (N_EDGES, (N_COLUMNS, 5), (N_ROWS, 5)))
    return edges, weights, x, y


def test_the_products_are_those_of_the_dense_matrix(case):
    edges, weights, x, y = case
    matrix = np.zeros((N_ROWS, N_COLUMNS))
    np.add.at(matrix, (edges.rows, edges.columns), weights)
    np.testing.assert_allclose(sparse.spmm(weights, x, edges, N_ROWS), matrix @ x, rtol=1e-12)
    transposed = sparse.spmm_transposed(weights, y, edges, N_COLUMNS)
    np.testing.assert_allclose(transposed, matrix.T @ y, rtol=1e-12)
    expected = np.sum(np.asarray(y)[edges.rows] * np.asarray(x)[edges.columns], -1)
    np.testing.assert_allclose(sparse.sddmm(y, x, edges), expected, rtol=1e-12)


# Each product with its counterpart in plain jax.numpy, which JAX differentiates by itself.
FUNCTIONS = {
    "spmm": (
        lambda w, x, y, edges: y + sparse.spmm(w, x, edges, N_ROWS),
        lambda w, x, y, edges: y.at[edges.rows].add(w[:, None] * x[edges.columns]),
    ),
    "spmm_transposed": (
        lambda w, x, y, edges: x + sparse.spmm_transposed(w, y, edges, N_COLUMNS),
        lambda w, x, y, edges: x.at[edges.columns].add(w[:, None] * y[edges.rows]),
    ),
    "sddmm": (
        lambda w, x, y, edges: sparse.sddmm(y, x, edges),
        lambda w, x, y, edges: jnp.sum(y[edges.rows] * x[edges.columns], axis=-1),
    ),
}

ONE_WEIGHT = {
    "spmm": (
        lambda w, x, y, edges: y + sparse.spmm(w[:1], x, edges, N_ROWS),
        lambda w, x, y, edges: y.at[edges.rows].add(w[0] * x[edges.columns]),
    ),
    "spmm_transposed": (
        lambda w, x, y, edges: x + sparse.spmm_transposed(w[:1], y, edges, N_COLUMNS),
        lambda w, x, y, edges: x.at[edges.columns].add(w[0] * y[edges.rows]),
    ),
}


@pytest.mark.parametrize(("table", "name"), [(table, name) for table in (FUNCTIONS, ONE_WEIGHT) for name in table])
def test_derivatives_of_first_and_second_order_are_those_of_the_plain_form(case, table, name):
    edges, *args = case
    gradients, tangents, seconds = [], [], []
    for function in table[name]:

        def loss(args, function=function):
            return jnp.sum(jnp.sin(function(*args, edges)))

        gradient = jax.jit(jax.grad(loss))

        def along(args, gradient=gradient):
            return sum(jnp.sum(jnp.cos(3 * leaf)) for leaf in gradient(args))

        gradients.append(gradient(args))
        tangents.append(jax.jvp(jax.jit(loss), (args,), (args,))[1])
        seconds.append(jax.jit(jax.grad(along))(args))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), *gradients)
    np.testing.assert_allclose(*tangents, rtol=1e-12)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), *seconds)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives_are_true_inside_a_scan(case, name):
    edges, *args = case
    found = []
    for function in FUNCTIONS[name]:

        def loss(args, edges, function=function):
            def advance(x, _):
                return jax.tree.map(lambda leaf: jnp.sin(leaf + 0.01 * jnp.sum(function(*x, edges))), x), None

            return sum(jnp.sum(leaf) for leaf in jax.lax.scan(advance, args, None, length=2)[0])

        def along(args, edges, loss=loss):
            return sum(jnp.sum(jnp.cos(3 * leaf)) for leaf in jax.grad(loss)(args, edges))

        found.append(jax.jit(jax.grad(along))(args, edges))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9), *found)


def test_a_batch_of_products_is_each_of_them(case):
    edges, weights, x, y = case
    several = jnp.stack([weights, 2 * weights])
    gradient = jax.grad(lambda x, w: jnp.sum(y * sparse.spmm(w, x, edges, N_ROWS)))
    found = jax.jit(jax.vmap(gradient, in_axes=(None, 0)))(x, several)
    one = sparse.spmm_transposed(weights, y, edges, N_COLUMNS)
    np.testing.assert_allclose(found, jnp.stack([one, 2 * one]), rtol=1e-12)


def test_shapes_that_do_not_fit_are_named(case):
    edges, weights, x, y = case
    with pytest.raises(AssertionError, match="shapes"):
        sparse.spmm(weights[1:], x, edges, N_ROWS)
    with pytest.raises(AssertionError, match="rank"):
        sparse.spmm(weights, x[0], edges, N_ROWS)
    with pytest.raises(AssertionError, match="suffix"):
        sparse.sddmm(y, x[:, 1:], edges)
