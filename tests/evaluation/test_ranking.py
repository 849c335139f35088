import jax
import numpy as np
import pytest

from hkjax.data import blocks
from hkjax.data.dataset import Interactions, no_interactions
from hkjax.errors import InputError
from hkjax.evaluation import ranking
from hkjax.models.base import Recommender

N_USERS, N_ITEMS = 23, 31


def rows(random, n):
    pairs = np.unique(random.integers([N_USERS, N_ITEMS], size=(n, 2)), axis=0).astype(np.int32)
    return Interactions(pairs[:, 0], pairs[:, 1], np.ones(len(pairs), np.int32))


def test_blocks_of_users_give_the_metrics_of_one_user_at_a_time(monkeypatch):
    random = np.random.default_rng(0)
    table = random.normal(size=(N_USERS, N_ITEMS)).astype(np.float32)
    relevant, seen = rows(random, 60), rows(random, 150)
    keep = ~np.isin(relevant.users * N_ITEMS + relevant.items, seen.users * N_ITEMS + seen.items)
    relevant = relevant.select(keep)
    recommender = Recommender(None, None, None, None, None, None, score_all_items=lambda r, users: r[users])
    monkeypatch.setattr(blocks, "_SCORES_PER_BLOCK", 5 * N_ITEMS)
    found = ranking.rank_users(recommender, jax.numpy.asarray(table), N_ITEMS, relevant, seen, (3, 10))
    assert found.users.tolist() == np.unique(relevant.users).tolist()
    for k in (3, 10):
        for row, user in enumerate(found.users):
            scores = table[user].copy()
            scores[seen.items[seen.users == user]] = -np.inf
            top = np.argsort(-scores)[:k]
            wanted = relevant.items[relevant.users == user]
            gains = np.isin(top, wanted) / np.log2(np.arange(2, k + 2))
            ideal = (1 / np.log2(np.arange(2, min(k, len(wanted)) + 2))).sum()
            np.testing.assert_allclose(found.metrics[f"recall@{k}"][row], np.isin(wanted, top).mean())
            np.testing.assert_allclose(found.metrics[f"ndcg@{k}"][row], gains.sum() / ideal)


def rank(table, relevant, seen, ks):
    recommender = Recommender(None, None, None, None, None, None, score_all_items=lambda r, users: r[users])
    pairs = [np.array(pairs, np.int32).reshape(-1, 2) for pairs in (relevant, seen)]
    rows = [Interactions(x[:, 0], x[:, 1], np.ones(len(x), np.int32)) for x in pairs]
    return ranking.rank_users(recommender, jax.numpy.asarray(table), table.shape[1], *rows, ks)


def test_what_is_not_ranked_is_no_hit():
    """Of items 0 to 4 user 0 has seen 1 and 2, of which 2 is relevant, and the score of 3 is no number."""
    table = np.array([[0.1, 0.9, 0.8, np.nan, 0.2], [0.5, np.inf, -np.inf, 0.4, 0.3]], np.float32)
    found = rank(table, [(0, 0), (0, 2), (0, 3), (1, 1), (1, 3)], [(0, 1), (0, 2)], (2, 5))
    assert found.items.tolist() == [[4, 0, -1, -1, -1], [0, 3, 4, -1, -1]]
    np.testing.assert_allclose(found.metrics["recall@5"], [1 / 3, 1 / 2])
    np.testing.assert_allclose(found.metrics["precision@2"], [1 / 2, 1 / 2])


def test_a_doubled_row_counts_once():
    table = np.array([[0.3, 0.2, 0.1]], np.float32)
    found, once = (rank(table, relevant, [], (1,)) for relevant in ([(0, 0), (0, 0), (0, 2)], [(0, 0), (0, 2)]))
    assert {name: x.tolist() for name, x in found.metrics.items()} == {k: x.tolist() for k, x in once.metrics.items()}
    assert found.metrics["recall@1"] == [1 / 2]


def test_nothing_to_find_is_refused():
    with pytest.raises(InputError, match="no user has a relevant item"):
        ranking.rank_users(None, None, 3, no_interactions(), no_interactions(), (5,))
