"""Items without a user: the weights that they borrow from the items nearest by content."""

import jax.numpy as jnp
import numpy as np
from scipy import sparse

from hkjax.models.link.content import Content
from hkjax.ops.lists import Neighbours

_NEAREST = 50
_ITEMS_PER_BLOCK = 256


def nearest_known(content: Content, relation_weights: np.ndarray, degree: np.ndarray) -> sparse.csr_array:
    """Finds the nearest items with users of each item without one.

    Args:
        content: the attributes of the items.
        relation_weights: w, [relations].
        degree: users of each item, [items].

    Returns:
        T_jt / sum_t T_jt for the 50 items t of largest weighted cosine T_jt, [items, items]; rows of items with users,
        and of those that share no attribute, are empty.
    """
    n, cold = len(degree), np.flatnonzero(degree == 0)
    if not (len(cold) and content.relation.size):
        return sparse.csr_array((n, n), dtype=np.float32)
    edges = content.edges
    entries = (np.asarray(edges.attr), (np.asarray(edges.rows), np.asarray(edges.columns)))
    attributes = sparse.csr_array(entries, (n, content.relation.size))
    weighted = attributes @ sparse.diags_array(relation_weights[np.asarray(content.relation)].astype(np.float32))
    known = sparse.diags_array((degree > 0).astype(np.float32)) @ attributes
    found = []
    for first in range(0, len(cold), _ITEMS_PER_BLOCK):
        cosines = _largest((weighted[cold[first : first + _ITEMS_PER_BLOCK]] @ known.T).toarray(), _NEAREST)
        total = cosines.sum(1, keepdims=True)
        found.append(sparse.csr_array(cosines / np.where(total > 0, total, 1)))
    rows = sparse.vstack(found).tocoo()
    return sparse.csr_array((rows.data.astype(np.float32), (cold[rows.row], rows.col)), (n, n))


def borrow_weights(table: Neighbours, nearest: sparse.csr_array, share: float) -> Neighbours:
    """Gives items without a user the mean weights of their nearest: W_ij = share sum_t N_jt K_it.

    Args:
        table: ItemKNN's weights K; those of items without a user are empty.
        nearest: N, from `nearest_known`.
        share: how much of the mean is borrowed.

    Returns:
        The table with the largest of the borrowed weights in the empty columns.
    """
    n, k = table.sources.shape
    cold = np.flatnonzero(np.diff(nearest.indptr))
    if not (len(cold) and share):
        return table
    sources, weights = (np.array(x) for x in table)
    rows, slots = np.nonzero(sources < n)
    by_target = sparse.csr_array((weights[rows, slots], (rows, sources[rows, slots])), (n, n))
    for first in range(0, len(cold), _ITEMS_PER_BLOCK):
        items = cold[first : first + _ITEMS_PER_BLOCK]
        borrowed = share * (nearest[items] @ by_target).toarray()
        best = np.argpartition(-borrowed, k - 1, axis=1)[:, :k]
        found = np.take_along_axis(borrowed, best, axis=1)
        sources[items], weights[items] = np.where(found > 0, best, n), np.maximum(found, 0)
    return Neighbours(jnp.asarray(sources), jnp.asarray(weights))


def _largest(rows: np.ndarray, k: int) -> np.ndarray:
    """Keeps the k largest entries of each row, and 0 otherwise."""
    if rows.shape[1] <= k:
        return rows
    bound = -np.partition(-rows, k - 1, axis=1)[:, k - 1 : k]
    return np.where(rows >= bound, rows, 0)
