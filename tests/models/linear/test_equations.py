"""The sparse forms of the linear models against their equations, on dense matrices in float64."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.errors import InputError
from hkjax.models.linear import ease as ease_module
from hkjax.models.linear import equations
from hkjax.models.linear.config import EASEConfig, IALSConfig, ItemKNNConfig, RP3betaConfig, SLIMConfig
from hkjax.models.linear.ease import ease
from hkjax.models.linear.ials import ials
from hkjax.models.linear.neighbours import item_knn, rp3beta
from hkjax.models.linear.slim import slim

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def float64():
    with jax.enable_x64(True):
        yield


def interactions(data):
    positives = data.train.positives()
    return jnp.zeros((data.n_users, data.n_items)).at[positives.users, positives.items].set(1)


def weights_of(recommender, n):
    """The weights of a solved recommender as a matrix (source, target)."""
    params = recommender.solve(recommender.init(jax.random.key(0)), recommender.inputs)
    dense = np.zeros((n + 1, n))
    np.add.at(dense, (np.asarray(params["sources"]), np.arange(n)[:, None]), np.asarray(params["weights"]))
    return dense[:n]


def largest(matrix, k, by=np.asarray):
    """Keeps the k largest entries of every column that are not 0."""
    kept = np.zeros(matrix.shape, bool)
    np.put_along_axis(kept, np.argsort(-by(matrix), axis=0, kind="stable")[:k], True, axis=0)
    return np.where(kept, matrix, 0)


def without_diagonal(matrix):
    return np.asarray(matrix - jnp.diag(jnp.diag(matrix)))


def test_neighbours_are_the_largest_weights_of_the_equations(tiny_data):
    x = interactions(tiny_data)
    d = x.sum(0)
    d_i, d_j = d[:, None], d[None, :]
    config = ItemKNNConfig(neighbours=6, user_power=0.3, alpha=0.6, shrinkage=2.0)
    exact = equations.knn_weight(equations.co_occurrence(x, 0.3), d_i, d_j, 0.6, 2.0)
    found = weights_of(item_knn(config, tiny_data), tiny_data.n_items)
    np.testing.assert_allclose(found, largest(without_diagonal(exact), 6), rtol=1e-5)
    exact = equations.rp3beta_weight(equations.co_occurrence(x, 0.8), d_i, d_j, 0.8, 0.4)
    found = weights_of(rp3beta(RP3betaConfig(neighbours=25, alpha=0.8, beta=0.4), tiny_data), tiny_data.n_items)
    np.testing.assert_allclose(found, np.nan_to_num(without_diagonal(exact)), rtol=1e-5)


def exact_ease(config, data):
    """EASE of every item on all others, by the equations."""
    x = interactions(data)
    d = x.sum(0)
    z = equations.normalized(x, config.user_power, config.item_power)
    gram = z.T @ z
    diagonal = jnp.diag(gram)
    l2 = config.l2 * diagonal[diagonal > 0].mean() + equations.dropout_penalty(diagonal, config.dropout)
    weights = equations.ease_weights(gram, l2)
    return np.asarray(equations.unnormalized_weights(weights, d, config.item_power, config.target_power)), gram, l2


@pytest.mark.parametrize("more_users", [True, False])
def test_ease_is_the_regression_of_items_on_items_from_either_side(more_users, tiny_data):
    data = tiny_data
    if not more_users:
        few = data.n_items - 8
        parts = {name: getattr(data, name).select(getattr(data, name).users < few) for name in ("train", "test")}
        data = dataclasses.replace(data, n_users=few, **parts)
    config = EASEConfig(l2=0.7, dropout=0.2, user_power=0.2, item_power=0.3, target_power=0.1)
    exact, *_ = exact_ease(config, data)
    found = weights_of(ease(config, data), data.n_items)
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-6)
    pruned = weights_of(ease(dataclasses.replace(config, neighbours=5), data), data.n_items)
    # Of equal weights either may be kept.
    sizes = [np.sort(np.abs(matrix), axis=0) for matrix in (pruned, largest(exact, 5, np.abs))]
    np.testing.assert_allclose(*sizes, rtol=1e-4, atol=1e-6)


def test_the_local_form_solves_each_item_on_its_candidates(tiny_data):
    config = EASEConfig(candidates=4, l2=0.7, user_power=0.2, item_power=0.3, target_power=0.3)
    _, gram, l2 = exact_ease(config, tiny_data)
    d, n = np.maximum(interactions(tiny_data).sum(0), 1), tiny_data.n_items
    found = weights_of(ease(config, tiny_data), n)
    damped = without_diagonal(gram) / np.sqrt(np.outer(jnp.diag(gram) + l2, jnp.diag(gram) + l2))
    for j in range(n):
        s = np.argsort(-damped[:, j], kind="stable")[:4]
        s = s[damped[s, j] > 0]
        expected = equations.local_weights(gram[jnp.ix_(s, s)], gram[s, j], l2[s]) * d[s] ** -0.3 * d[j] ** 0.3
        np.testing.assert_allclose(found[s, j], expected, rtol=1e-4, atol=1e-6)
        assert (np.delete(found[:, j], s) == 0).all()


def test_all_items_as_candidates_make_the_local_form_ease(tiny_data):
    config = EASEConfig(l2=2.0)
    exact, gram, _ = exact_ease(config, tiny_data)
    found = weights_of(ease(dataclasses.replace(config, candidates=25), tiny_data), tiny_data.n_items)
    # Items without a common user are no candidates; those that all others have in common are.
    whole = (np.asarray(gram) > 0).all(0) if (np.asarray(gram) > 0).all() else np.zeros(tiny_data.n_items, bool)
    np.testing.assert_allclose(found[:, whole], exact[:, whole], rtol=1e-4)


def test_slim_is_at_the_minimum_of_its_elastic_net(tiny_data):
    x = interactions(tiny_data)
    gram = x.T @ x
    diagonal = jnp.diag(gram)
    l1, l2 = (np.asarray(p * diagonal[diagonal > 0].mean()) for p in (0.1, 0.5))
    config = SLIMConfig(candidates=5, l1=0.1, l2=0.5, sweeps=200)
    found = weights_of(slim(config, tiny_data), tiny_data.n_items)
    assert (found >= 0).all()
    assert (found > 0).any()
    for j in range(tiny_data.n_items):
        s = np.flatnonzero(found[:, j])
        slope = gram[jnp.ix_(s, s)] @ found[s, j] - gram[s, j] + l2 * found[s, j] + l1
        np.testing.assert_allclose(slope, 0, atol=1e-4)


def test_ials_users_solve_their_least_squares(tiny_data):
    config = IALSConfig(dim=4, alpha=3.0, l2=0.5, rounds=4)
    model = ials(config, tiny_data)
    params = model.solve(model.init(jax.random.key(0)), model.inputs)
    found = jax.jit(model.encode)(params, model.inputs)
    x, item = interactions(tiny_data), params["item"]
    for user in (0, 3, 7):
        exact = equations.ials_user(item, item.T @ item, x[user], 3.0, 0.5)
        np.testing.assert_allclose(found["user"][user], exact, rtol=1e-4, atol=1e-6)


def test_too_many_items_for_a_dense_matrix_are_refused(tiny_data, monkeypatch):
    monkeypatch.setattr(ease_module, "MOST_FOR_DENSE", 5)
    with pytest.raises(InputError, match=r"choose model\.candidates=100"):
        ease(EASEConfig(), tiny_data)
