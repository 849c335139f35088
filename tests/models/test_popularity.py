import jax
import numpy as np

from hkjax.evaluation.ctr import predict
from hkjax.evaluation.metrics import auc
from hkjax.models.popularity import balance_and_popularity, popularity


def test_popularity_orders_rows_by_the_raw_count(tiny_data):
    recommender = popularity(tiny_data)
    representation = recommender.encode(recommender.init(jax.random.key(0)), recommender.inputs)
    counts = np.bincount(tiny_data.train.positives().items, minlength=tiny_data.n_items)
    expected = auc(counts[tiny_data.test.items].astype(float), tiny_data.test.labels)
    assert auc(predict(recommender, representation, tiny_data.test), tiny_data.test.labels) == expected


def test_the_balance_shifts_a_user_by_their_own_labels(tiny_data):
    recommender = balance_and_popularity(tiny_data)
    positives = np.bincount(tiny_data.train.positives().users, minlength=tiny_data.n_users)
    rows = np.bincount(tiny_data.train.users, minlength=tiny_data.n_users)
    np.testing.assert_allclose(
        recommender.inputs["user"][:, 0], np.log((positives + 1) / (rows - positives + 1)), rtol=1e-6
    )
