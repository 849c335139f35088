"""HKRM's choices, each alternative once, and parameters to try them with."""

import jax
import jax.numpy as jnp
import numpy as np

VARIANTS = [
    {},
    {"relation": "full"},
    {"pooling": "joint"},
    {"query_weight": "interaction"},
    {"query_weight": "uniform"},
    {"missing_fields": "zero_logit"},
    {"missing_fields": "zero_logit", "pooling": "joint"},
    {"leave_one_out": False},
    {"divergence": "cross_entropy"},
    {"levels": "item"},
    {"levels": "attribute"},
    {"divergence_weight": 0.0},
    {"item_bias": True},
]


def random_params(recommender, seed=0):
    """Parameters large enough that every term of the loss matters."""
    shapes = jax.eval_shape(recommender.init, jax.random.key(0))
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape)), shapes)
