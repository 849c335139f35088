"""Equations of the linear item models, for small dense arrays: what the sparse forms are tested against.

X is the matrix of interactions, [users, items], 1 for a positive. W_ij is the weight of source i for target j, and the
score of item j for user u is sum_i X_ui W_ij. d_u and d_i are the degrees of users and items.

| model | source |
|---|---|
| ItemKNN | Sarwar et al., WWW 2001; the exponents as in Aiolli, RecSys 2013 |
| RP3beta | Paudel et al., ACM TiiS 2017 |
| EASE | Steck, WWW 2019, arXiv 1905.03375 |
| EDLAE | Steck, NeurIPS 2020 |
| SLIM | Ning and Karypis, ICDM 2011 |
| iALS | Hu, Koren and Volinsky, ICDM 2008 |
"""

import jax
import jax.numpy as jnp

Scalar = float | jax.Array


def co_occurrence(x: jax.Array, power: float) -> jax.Array:
    """Counts the common users of two items, each user by 1 / d_u^power.

    Args:
        x: X, [users, items].
        power: 0 for plain counts; 1 for users of equal influence, whatever their histories' lengths.

    Returns:
        G, [items, items].

    Example:
        >>> co_occurrence(jnp.array([[1.0, 1.0], [1.0, 0.0]]), 0.0)
        Array([[2., 1.],
               [1., 1.]], dtype=float32)
    """
    weights = jnp.maximum(x.sum(1), 1) ** -power
    return x.T @ (weights[:, None] * x)


def knn_weight(g: jax.Array, d_i: jax.Array, d_j: jax.Array, alpha: Scalar, shrinkage: Scalar) -> jax.Array:
    """Computes ItemKNN's weight G_ij / (d_i^alpha d_j^(1 - alpha) + shrinkage).

    Args:
        g: G_ij.
        d_i, d_j: degrees of source and target.
        alpha: 1/2 is the cosine; above it popular sources count less, and popular targets more.
        shrinkage: damps what few users say.
    """
    return g / (d_i**alpha * d_j ** (1 - alpha) + shrinkage)


def rp3beta_weight(g: jax.Array, d_i: jax.Array, d_j: jax.Array, alpha: Scalar, beta: Scalar) -> jax.Array:
    """Computes RP3beta's weight: a random walk from item i over a user to item j, less where j is popular.

    Args:
        g: `co_occurrence` with the power alpha.
        d_i, d_j: degrees of source and target.
        alpha: exponent of the walk's probabilities.
        beta: exponent of the target's degree.
    """
    return g / (d_i**alpha * d_j**beta)


def ease_weights(gram: jax.Array, l2: jax.Array) -> jax.Array:
    """Solves EASE: the ridge regression of every item on all others.

    W minimises |X - X W|^2 + sum_i l2_i |W_i|^2 with a zero diagonal: W = I - P diag(1 / P_jj), P = (G + L)^-1.

    Args:
        gram: G, [items, items].
        l2: the penalties L of the sources, [items].

    Returns:
        W, [items, items].
    """
    p = jnp.linalg.inv(gram + jnp.diag(l2))
    weights = -p / jnp.diag(p)
    return weights - jnp.diag(jnp.diag(weights))


def dropout_penalty(diagonal: jax.Array, dropout: Scalar) -> jax.Array:
    """Computes EDLAE's penalty p / (1 - p) G_ii: ridge regression as if each entry of X were dropped with chance p."""
    return dropout / (1 - dropout) * diagonal


def normalized(x: jax.Array, user_power: float, item_power: float) -> jax.Array:
    """Computes Z = D_u^-b X D_i^-a, which damps long histories and popular items before a regression."""
    rows = jnp.maximum(x.sum(1, keepdims=True), 1) ** -user_power
    return rows * x * jnp.maximum(x.sum(0), 1) ** -item_power


def unnormalized_weights(w: jax.Array, d: jax.Array, item_power: float, target_power: float) -> jax.Array:
    """Turns weights W of Z into weights D_i^-a W D_i^c of X; c = a predicts X, and another c favours popular items."""
    d = jnp.maximum(d, 1)
    return d[:, None] ** -item_power * w * d**target_power


def local_weights(gram: jax.Array, target: jax.Array, l2: jax.Array) -> jax.Array:
    """Solves the ridge regression of one item on only its candidates: (G_SS + L_S) w = G_Sj.

    Args:
        gram: G_SS, [candidates, candidates].
        target: G_Sj, [candidates].
        l2: L_S, [candidates].
    """
    factor = jax.scipy.linalg.cho_factor(gram + jnp.diag(l2), lower=True)
    return jax.scipy.linalg.cho_solve(factor, target)


def slim_step(
    w: jax.Array, s: jax.Array, gram: jax.Array, target: jax.Array, l1: jax.Array, l2: jax.Array
) -> jax.Array:
    """Takes SLIM's step in coordinate s of one item's weights: the best w_s >= 0 while the others stay.

    Args:
        w: weights of the candidates, [candidates].
        s: the coordinate.
        gram, target: G_SS and G_Sj.
        l1, l2: penalties l1 |w| + l2/2 |w|^2 of the elastic net.
    """
    rest = target[s] - gram[s] @ w + gram[s, s] * w[s]
    step = jnp.maximum(rest - l1, 0) / jnp.maximum(gram[s, s] + l2, jnp.finfo(w.dtype).tiny)
    return w.at[s].set(step)


def ials_user(items: jax.Array, gram: jax.Array, liked: jax.Array, alpha: Scalar, l2: Scalar) -> jax.Array:
    """Solves iALS for one user: (V^T V + alpha sum_i v_i v_i^T + l2 I) p = (1 + alpha) sum_i v_i.

    Args:
        items: vectors v_i of all items, [items, d].
        gram: V^T V, [d, d].
        liked: 1 for the user's items, [items].
        alpha: how much more an interaction counts than its absence.
        l2: penalty of the vector.

    Returns:
        p, [d].
    """
    weighted = alpha * liked[:, None] * items
    left = gram + items.T @ weighted + l2 * jnp.eye(items.shape[1], dtype=items.dtype)
    return jnp.linalg.solve(left, (1 + alpha) * liked @ items)
