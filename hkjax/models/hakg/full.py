"""HAKG's loss on the whole graph, of which each step keeps a part."""

import jax
import jax.numpy as jnp

from hkjax.models.base import Batch
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.inputs import HAKGInputs
from hkjax.models.hakg.losses import cone_loss, contrastive_loss, cosines, unit_factors
from hkjax.models.hakg.parameters import HAKGParameters
from hkjax.models.hakg.propagation import Embeddings, propagate
from hkjax.models.hakg.representation import exp_0, item_tables
from hkjax.ops.lookup import take_rows
from hkjax.ops.sampling import sample_negatives


def losses(
    config: HAKGConfig, p: HAKGParameters, inputs: HAKGInputs, batch: Batch, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The ranking loss and the angle loss of a batch."""
    dropout_key, negatives_key, mask_key = jax.random.split(key, 3)
    of_ranking = ranking_loss(config, propagate(config, p, inputs, dropout_key), inputs, batch, negatives_key)
    points = exp_0(p.entity) if config.angle_space == "ball" else p.entity
    of_angles = cone_loss(config, points, inputs.pairs, mask_key) if config.angle_weight else jnp.zeros(())
    return of_ranking, of_angles


@jax.named_scope("ranking loss")
def ranking_loss(config: HAKGConfig, x: Embeddings, inputs: HAKGInputs, batch: Batch, key: jax.Array) -> jax.Array:
    """The contrastive loss of the rows' positive items against sampled negatives."""
    users, n_items = batch["user"], inputs.item_degree.size
    negative = sample_negatives(key, inputs.exclusions, users, batch["example"], config.negatives, n_items)
    user = take_rows(unit_factors(config, x.user), users)
    tables = [unit_factors(config, table) for table in item_tables(config, x, inputs)]
    losses = contrastive_loss(cosines(user, tables, batch["item"], negative), config.margin)
    return jnp.mean(batch["weight"] * losses)
