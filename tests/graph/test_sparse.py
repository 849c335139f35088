import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.graph import sparse

N_MEMBERS, N_SEGMENTS, N_EDGES = 13, 9, 70


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def case():
    """Edges with a hub and with a segment and a member that have none, their weights, and the dense pattern."""
    random = np.random.default_rng(0)
    members = random.integers(N_MEMBERS - 1, size=N_EDGES)
    segments = np.where(random.random(N_EDGES) < 0.3, 2, random.integers(N_SEGMENTS - 1, size=N_EDGES))
    adjacency, place = sparse.make_adjacency(members, segments, N_MEMBERS, N_SEGMENTS)
    values = random.normal(size=N_EDGES)
    with jax.enable_x64(True):
        weights = sparse.place_edges(values, place, adjacency)
        x, y = (jnp.asarray(random.normal(size=(n, 5))) for n in (N_MEMBERS, N_SEGMENTS))
    return adjacency, place, members, segments, values, weights, x, y


def dense(case, values):
    matrix = np.zeros((N_SEGMENTS, N_MEMBERS))
    np.add.at(matrix, (case[3], case[2]), values)
    return matrix


def test_the_products_are_those_of_the_dense_matrix(case):
    adjacency, place, members, segments, values, weights, x, y = case
    matrix = dense(case, values)
    np.testing.assert_allclose(sparse.weighted_sum(weights, x, adjacency, N_SEGMENTS), matrix @ x, rtol=1e-12)
    transposed = sparse.weighted_sum_transposed(weights, y, adjacency, N_MEMBERS)
    np.testing.assert_allclose(transposed, matrix.T @ y, rtol=1e-12)
    products = sparse.edge_products(y, x, adjacency).reshape(-1)[place]
    np.testing.assert_allclose(products, np.sum(np.asarray(y)[segments] * np.asarray(x)[members], -1), rtol=1e-12)


def functions(adjacency):
    """Each product with its counterpart in plain jax.numpy, which JAX differentiates by itself."""
    owner = jnp.broadcast_to(adjacency.forward.owner[:, None], adjacency.forward.members.shape)
    member, real = adjacency.forward.members, sparse.is_edge(adjacency, N_MEMBERS)

    def pad(x):
        return jnp.concatenate([x, jnp.zeros((1, x.shape[1]), x.dtype)])

    zeros = jnp.zeros
    return {
        "weighted_sum": (
            lambda w, x, y: sparse.weighted_sum(w, x, adjacency, N_SEGMENTS),
            lambda w, x, y: zeros((N_SEGMENTS, 5)).at[owner].add((w * real)[..., None] * pad(x)[member]),
        ),
        "weighted_sum_transposed": (
            lambda w, x, y: sparse.weighted_sum_transposed(w, y, adjacency, N_MEMBERS),
            lambda w, x, y: zeros((N_MEMBERS, 5)).at[member].add((w * real)[..., None] * y[owner], mode="drop"),
        ),
        "edge_products": (
            lambda w, x, y: sparse.edge_products(y, x, adjacency),
            lambda w, x, y: jnp.sum(y[owner] * pad(x)[member], axis=-1),
        ),
    }


@pytest.mark.parametrize("name", ["weighted_sum", "weighted_sum_transposed", "edge_products"])
def test_derivatives_of_first_and_second_order_are_those_of_the_plain_form(case, name):
    adjacency, *_, weights, x, y = case
    gradients, seconds = [], []
    for function in functions(adjacency)[name]:

        def loss(args, function=function):
            return jnp.sum(jnp.sin(function(*args)))

        gradient = jax.jit(jax.grad(loss))

        def along(args, gradient=gradient):
            return sum(jnp.sum(jnp.cos(3 * leaf)) for leaf in gradient(args))

        gradients.append(gradient((weights, x, y)))
        seconds.append(jax.jit(jax.grad(along))((weights, x, y)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), *gradients)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12), *seconds)


def test_kept_edges_are_the_true_ones_in_order_and_padded_past_the_end():
    random = np.random.default_rng(0)
    real = random.random((5000, 4)) < 0.6
    kept = real & (random.random(real.shape) < 0.5)
    places = np.asarray(sparse.keep_edges(jnp.asarray(kept), 0.5, int(real.sum())))
    np.testing.assert_array_equal(places[places < kept.size], np.flatnonzero(kept))
    assert len(places) < 0.55 * real.sum()
    everything = np.asarray(sparse.keep_edges(jnp.asarray(real), 1.0, int(real.sum())))
    np.testing.assert_array_equal(everything, np.flatnonzero(real))
