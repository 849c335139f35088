import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops import triples
from hkjax.ops.messages import Coefficients
from hkjax.ops.sparse import PADDING_ROW, make_edges, shard_edges

MATRIX = jnp.arange(15.0).reshape(3, 5)
NODES, RELATION = jnp.array([2, 0, 2, 1]), jnp.array([0, 4, 3, 3])


def test_entries_and_sums_by_hand():
    all_of_them = jnp.arange(5)
    np.testing.assert_array_equal(triples._entries(MATRIX, all_of_them, NODES, RELATION), [10, 4, 13, 8])
    both = triples._entries(MATRIX, all_of_them, jnp.stack([NODES, NODES[::-1]]), RELATION)
    np.testing.assert_array_equal(both, [[10, 4, 13, 8], [5, 14, 3, 13]])
    found = triples._sums(all_of_them, jnp.array([1.0, 2, 4, 8]), jnp.array([0, 0, 1, 3]), RELATION, 3)
    np.testing.assert_array_equal(found, [[1, 0, 0, 0, 2], [0, 0, 0, 4, 0], [0] * 5])


def test_columns_in_parts_give_the_same():
    parts = (jnp.array([0, 1]), jnp.array([2, 3]), jnp.array([4]))
    read = sum(triples._entries(MATRIX[:, part], part, NODES, RELATION) for part in parts)
    np.testing.assert_array_equal(read, [10, 4, 13, 8])
    values = jnp.array([1.0, 2, 4, 8])
    filled = [triples._sums(part, values, NODES, RELATION, 3) for part in parts]
    np.testing.assert_array_equal(
        jnp.concatenate(filled, axis=1), triples._sums(jnp.arange(5), values, NODES, RELATION, 3)
    )


def test_a_mean_message_by_hand():
    """Two edges (0, relation 1, 2) and (0, relation 0, 1), one (2, relation 1, 1); entity 1 heads none."""
    graph = make_edges(np.array([0, 2, 0]), np.array([2, 1, 1]), np.array([1, 1, 0]))
    np.testing.assert_array_equal(graph.attr, [1, 0, 1])
    entity, relation = jnp.array([[1.0, 0], [0, 2], [3, 1]]), jnp.array([[1.0, 1], [0, -1]])
    gram = triples.edge_gram(entity, relation, graph)
    np.testing.assert_allclose(gram.hh, [1, 1, 10])
    np.testing.assert_allclose(gram.tt, [10, 4, 4])
    np.testing.assert_allclose(gram.rr, [1, 2, 1])
    np.testing.assert_allclose(gram.ht, [3, 0, 2])
    np.testing.assert_allclose(gram.hr, [0, 1, -1])
    np.testing.assert_allclose(gram.tr, [-1, 2, -2])
    found = triples.mean_message(
        lambda gram: Coefficients(-jnp.ones_like(gram.hh), jnp.ones_like(gram.hh), 2 * jnp.ones_like(gram.hh)),
        entity,
        relation,
        graph,
    )
    # Of entity 0 the mean of (3, 1) - (1, 0) + (0, -2) and (0, 2) - (1, 0) + (2, 2).
    np.testing.assert_allclose(found, [[1.5, 1.5], [0, 0], [-3, -1]])


@pytest.mark.parametrize("platform", ["tpu"])
def test_by_rows_messages_are_what_they_are_by_scalars(platform, monkeypatch):
    random = np.random.default_rng(0)
    graph = make_edges(*random.integers(7, size=(2, 31)), random.integers(3, size=31))
    graph = jax.tree.map(lambda x: x[-1], shard_edges(graph, 4))  # This part ends with padding.
    assert (graph.rows == PADDING_ROW).any()
    chosen = []

    def function(gram):
        return Coefficients(jnp.sin(gram.hh + gram.tr), jnp.cos(gram.ht) * gram.rr, gram.hr * gram.tt)

    def elsewhere(*args, default, **on_platforms):
        chosen.append(on_platforms.get(platform, default))
        return chosen[-1](*args)

    def loss(entity, relation):
        mean = triples.mean_message(function, entity, relation, graph)
        return jnp.sum(jnp.sin(mean)), mean

    def loss_alone(*tables):
        return loss(*tables)[0]

    with jax.enable_x64(True):
        tables = [jnp.asarray(random.normal(size=shape)) for shape in ((7, 5), (3, 5))]

        def all_derivatives():
            gradient = jax.grad(loss, argnums=(0, 1), has_aux=True)
            forward = jax.jvp(lambda *x: gradient(*x)[0], tables, tables)[1]  # Forward over reverse.
            square = jax.grad(lambda *x: sum(jnp.sum(g**2) for g in gradient(*x)[0]), argnums=(0, 1))
            return gradient(*tables), jax.jvp(loss_alone, tables, tables), forward, square(*tables)

        expected = jax.jit(all_derivatives)()
        monkeypatch.setattr(jax.lax, "platform_dependent", elsewhere)
        found = jax.jit(lambda: all_derivatives())()
    assert chosen
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12), found, expected)


def test_messages_may_depend_on_a_traced_number(monkeypatch):
    random, n_relations = np.random.default_rng(0), 41  # Too many for one-hot rows.
    graph = make_edges(*random.integers(7, size=(2, 31)), random.integers(n_relations, size=31))
    of_platform = jax.lax.platform_dependent

    def elsewhere(*args, default, tpu=None, **_):
        return of_platform(*args, cpu=tpu or default, default=default)

    def loss(scale, entity, relation):
        def function(gram):
            return Coefficients(scale * gram.hh, gram.ht, jnp.cos(scale) * gram.rr)

        return jnp.sum(triples.mean_message(function, entity, relation, graph) ** 2)

    with jax.enable_x64(True):
        args = [jnp.asarray(random.normal(size=shape)) for shape in ((), (7, 5), (n_relations, 5))]

        def derivatives(*args):
            return jax.value_and_grad(loss, argnums=(0, 1, 2))(*args), jax.grad(loss, argnums=1)(*args)

        expected = jax.jit(derivatives)(*args)
        monkeypatch.setattr(jax.lax, "platform_dependent", elsewhere)
        found = jax.jit(lambda *args: derivatives(*args))(*args)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12), found, expected)
