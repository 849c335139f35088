"""HKRM's choices, each alternative at least once, and parameters to try them with."""

import jax
import jax.numpy as jnp
import numpy as np

# Every alternative at least once.
VARIANTS = [
    {},
    {"relation": "full", "pooling": "joint", "query_weight": "interaction", "item_bias": True},
    {"missing_fields": "zero_logit", "divergence": "cross_entropy", "query_weight": "uniform"},
    {"missing_fields": "zero_logit", "pooling": "joint", "levels": "item", "divergence_weight": 0.0},
    {"leave_one_out": False, "levels": "attribute"},
]


def random_params(recommender, seed=0):
    """Parameters large enough that every term of the loss matters."""
    shapes = jax.eval_shape(recommender.init, jax.random.key(0))
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape)), shapes)
