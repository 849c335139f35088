import jax
import numpy as np

from hkjax.data.dataset import Interactions
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
    monkeypatch.setattr(ranking, "_SCORES_PER_BLOCK", 5 * N_ITEMS)
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
