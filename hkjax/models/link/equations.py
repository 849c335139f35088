"""LINK's equations, for small dense arrays: what its sparse forms are tested against.

    score(u, j) = sum_i X_ui W_ij + q d_j,    W = k K + e E + sum_r w_r T_r

K are ItemKNN's weights, E those of EASE (`hkjax.linear_equations`), and T_r the cosines of the items' attributes by
relation r. An item without a user borrows K and d from the items nearest by content. The sums are raw: a short history
leans on popularity, and a long one on its own items. Every weight may be 0, and is chosen on the validation part.
"""

import jax
import jax.numpy as jnp


def attribute_rows(has: jax.Array) -> jax.Array:
    """Weighs the attributes of items by tf-idf and scales the rows to unit length.

    An attribute of only one item links no two, and is left out.

    Args:
        has: 1 where an item has an attribute of the relation, [items, attributes].

    Returns:
        A_r, [items, attributes]; 0 for an item without a shared attribute.

    Example:
        >>> attribute_rows(jnp.array([[1.0, 0.0], [1.0, 1.0]]))
        Array([[0., 0.],
               [0., 0.]], dtype=float32)
    """
    count = has.sum(0)
    rarity = jnp.where(count > 1, jnp.log(has.shape[0] / jnp.maximum(count, 1)), 0)
    rows = has * rarity
    length = jnp.sqrt((rows**2).sum(1, keepdims=True))
    return jnp.where(length > 0, rows / jnp.where(length > 0, length, 1), 0)


def attribute_cosines(rows: jax.Array) -> jax.Array:
    """Computes T_r = A_r A_r^T without its diagonal, [items, items]."""
    cosines = rows @ rows.T
    return cosines - jnp.diag(jnp.diag(cosines))


def borrowed(k: jax.Array, nearest: jax.Array, share: float) -> jax.Array:
    """Computes the weights of an item without a user: the mean of those of the items nearest by content.

    Args:
        k: ItemKNN's weights K, [items, items].
        nearest: cosines with items that have users, [items]; 0 for all others.
        share: how much is borrowed.

    Returns:
        share sum_t K_it T_t / sum_t T_t, [items].
    """
    return share * k @ nearest / jnp.maximum(nearest.sum(), jnp.finfo(nearest.dtype).tiny)


def score(history: jax.Array, weights: jax.Array, popularity: jax.Array, q: jax.Array) -> jax.Array:
    """Computes the scores of all items for one user.

    Args:
        history: X_u, [items].
        weights: W, [items, items].
        popularity: degrees d, [items].
        q: weight of popularity.
    """
    return history @ weights + q * popularity
