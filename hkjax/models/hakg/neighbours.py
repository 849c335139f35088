"""What the other users of an item contribute to its score: HAKG's path from a user to a neighbour to the item."""

import jax
import jax.numpy as jnp

from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs, Sample
from hkjax.models.hakg.parameters import Gates, HAKGParameters
from hkjax.models.hakg.propagation import Embeddings, finish, layer, layer_0
from hkjax.models.hakg.representation import HAKGRepresentation
from hkjax.ops.lookup import leading_rows


def neighbours(
    config: HAKGConfig,
    p: HAKGParameters,
    inputs: HAKGInputs,
    representation: HAKGRepresentation,
    user: jax.Array,
    item: jax.Array,
) -> jax.Array:
    """`FoldIn.neighbours`: the inner product of the user with what each neighbour adds to the item, layer by layer.

    The item's collaborative embedding is linear in the users of its last aggregations, but for its length, which counts
    as given.
    """
    n_users, n_items = inputs.user_degree.size, inputs.item_degree.size

    def advance(x: Embeddings, gates: Gates) -> tuple[Embeddings, tuple[Embeddings, jax.Array]]:
        y = layer(config, p.relation, gates, x, Sample(inputs, 1.0))
        length = jnp.linalg.norm(y.item[item])
        return Embeddings(*(finish(config, table, None) for table in y)), (x, length)

    last, (x, lengths) = jax.lax.scan(advance, layer_0(p, inputs), p.gates, length=config.layers)
    scored = x.item[:, item].sum(0) + last.item[item]
    if config.score == "cosine_of_sum":
        scored = scored + x.entity[:, item].sum(0) + leading_rows(last.entity, n_items)[item]
    degree = 1 if config.item_aggregation == "sum" else inputs.item_degree[item]
    weight = jnp.ones(config.layers) / degree
    if config.normalize_layers:
        weight = weight / jnp.maximum(lengths, 1e-12)
    met = jnp.zeros(n_users, bool).at[inputs.interactions.rows].max(inputs.interactions.columns == item)
    carried = jnp.einsum("l,lud,d->u", weight, x.user, representation.user[user])
    return jnp.where(met, carried, 0) / jnp.maximum(jnp.linalg.norm(scored), 1e-12)
