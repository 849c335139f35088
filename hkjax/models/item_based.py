"""Item-based baselines in closed form: ItemKNN and EASE. Published models often do not beat them.

Both score item j for a user by the sum of W_ij over the user's positives i. ItemKNN: W is the cosine of the items'
audiences, damped for small ones, over the nearest items of each i (Sarwar et al., WWW 2001). EASE: the ridge regression
of every item on all others (Steck, WWW 2019, arXiv 1905.03375). The reason to report both is "Are We Really Making Much
Progress?" (Ferrari Dacrema et al., RecSys 2019).

They are computed on the host, in blocks of users. Each user keeps only the best unseen items: enough to rank, while a
click-through score of any other item would be meaningless.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from hkjax.data.batching import bucket_by_length
from hkjax.data.dataset import Dataset
from hkjax.models.base import Batch, Metrics, Params, Recommender

_N_NEIGHBOURS = 100
_SHRINKAGE = 20.0
_L2 = 200.0
# EASE inverts a square matrix, of users or of items, whichever are fewer.
_MOST_FOR_EASE = 10_000
_BLOCK_ENTRIES = 1 << 26
_N_KEPT = 256


def item_knn(data: Dataset) -> Recommender:
    """Builds ItemKNN from the positives of train: 100 neighbours, c / (|i| |j| + 20) for c common users."""
    x = _positives(data)
    length = np.sqrt(np.asarray(x.sum(0)).ravel())
    size = max(1, _BLOCK_ENTRIES // max(1, data.n_items))
    rows = []
    for first in range(0, data.n_items, size):
        common = (x[:, first : first + size].T @ x).tocoo()
        other = common.row + first != common.col
        i, j, count = common.row[other], common.col[other], common.data[other]
        cosine = count / (length[i + first] * length[j] + _SHRINKAGE)
        shape = (min(size, data.n_items - first), data.n_items)
        rows.append(_largest_of_rows(sparse.csr_array((cosine.astype(np.float32), (i, j)), shape), _N_NEIGHBOURS))
    weights = sparse.vstack(rows).tocsr()
    return _top_lists(data, lambda users: (x[users] @ weights).toarray())


def ease(data: Dataset) -> Recommender | None:
    """Builds EASE from the positives of train, lambda 200; None beyond 10,000 users and items, which takes too long."""
    x = _positives(data)
    n_users, n_items = x.shape
    if min(n_users, n_items) > _MOST_FOR_EASE:
        return None
    if n_items <= n_users:
        inverse = np.linalg.inv((x.T @ x).toarray() + _L2 * np.eye(n_items, dtype=np.float32))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        return _top_lists(data, lambda users: x[users] @ weights)
    # P = (X^T X + l)^-1 = (1 - X^T K X) / l with K = (X X^T + l)^-1, [users, users]. Items that the user did not
    # interact with score -(x P)_j / P_jj = (x X^T K X)_j / (l P_jj).
    gram = (x @ x.T).toarray()
    inverse = np.linalg.inv(gram + _L2 * np.eye(n_users, dtype=np.float32))
    diagonal = 1 - np.asarray(x.multiply((x.T @ inverse).T).sum(0)).ravel()
    scaled = (x @ sparse.diags_array(1 / diagonal)).tocsr().astype(np.float32)
    smoothed = gram @ inverse
    return _top_lists(data, lambda users: smoothed[users] @ scaled)


def _positives(data: Dataset) -> sparse.csr_array:
    positives = data.train.positives()
    ones = np.ones(len(positives.users), np.float32)
    return sparse.csr_array((ones, (positives.users, positives.items)), (data.n_users, data.n_items))


def _largest_of_rows(matrix: sparse.csr_array, k: int) -> sparse.csr_array:
    """Keeps the k largest entries of every row."""
    counts = np.diff(matrix.indptr)
    row = np.repeat(np.arange(matrix.shape[0]), counts)
    order = np.lexsort((-matrix.data, row))
    rank = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], counts)
    kept = order[rank < k]
    return sparse.csr_array((matrix.data[kept], (row[kept], matrix.indices[kept])), matrix.shape)


def _top_lists(data: Dataset, scores_of: Callable[[np.ndarray], np.ndarray]) -> Recommender:
    """Builds a recommender of every user's best items, without those interacted with in train or validation.

    Args:
        data: the data set.
        scores_of: (users [B]) -> scores [B, items].
    """
    k = min(_N_KEPT, data.n_items)
    seen = data.seen("train") if data.validates_on_test else data.seen("train", "validation")
    met = sparse.csr_array((np.ones(len(seen.users), bool), (seen.users, seen.items)), (data.n_users, data.n_items))
    size = max(1, _BLOCK_ENTRIES // data.n_items)
    items, scores = np.zeros((data.n_users, k), np.int32), np.zeros((data.n_users, k), np.float32)
    for first in range(0, data.n_users, size):
        users = np.arange(first, min(first + size, data.n_users))
        block = np.asarray(scores_of(users), np.float32)
        block[met[users].nonzero()] = -np.inf
        items[users] = np.argpartition(-block, k - 1, axis=1)[:, :k]
        scores[users] = np.take_along_axis(block, items[users], axis=1)
    inputs = {"items": jnp.asarray(items), "scores": jnp.asarray(scores)}

    def score_pairs(x: dict[str, jax.Array], users: jax.Array, items: jax.Array) -> jax.Array:
        return jnp.where(x["items"][users] == items[:, None], x["scores"][users], -jnp.inf).max(1)

    def score_all_items(x: dict[str, jax.Array], users: jax.Array) -> jax.Array:
        unknown = jnp.full((users.shape[0], data.n_items), -jnp.inf)
        return unknown.at[jnp.arange(users.shape[0])[:, None], x["items"][users]].set(x["scores"][users])

    def loss(params: Params, inputs: dict[str, jax.Array], batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        raise NotImplementedError("there is nothing to train")

    positives = data.train.positives()
    return Recommender(
        inputs=inputs,
        batches=bucket_by_length({"user": positives.users, "item": positives.items}, batch_size=1024),
        init=lambda key: {},
        loss=loss,
        encode=lambda params, inputs: inputs,
        score_pairs=score_pairs,
        score_all_items=score_all_items,
    )
