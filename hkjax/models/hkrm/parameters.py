"""HKRM's parameters: their names, shapes and initial values."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from hkjax.models.hkrm.config import HKRMConfig
from hkjax.ops.lookup import num_local_rows


class Affine(NamedTuple):
    """An affine map: kernel [inputs, outputs] and bias [outputs]."""

    kernel: jax.Array
    bias: jax.Array


class HKRMParameters(NamedTuple):
    """The trained arrays; n fields, embedding size d.

    Attributes:
        entity: embeddings of the items, then of the fields' values, [items + values, d].
        relation: R_j of eq. 4 and 5, [n, d] or [n, d, d].
        empty_query: q_s of a user without history, [d].
        hidden, output: the MLP of eq. 6 and 7.
        query_weight: p of eq. 2, [items] or [positives]; None for uniform weights.
        bias: b_t of each item, [items]; constant 0 without `item_bias`.
    """

    entity: jax.Array
    relation: jax.Array
    empty_query: jax.Array
    hidden: Affine
    output: Affine
    query_weight: jax.Array | None
    bias: jax.Array


class HKRM(nn.Module):
    """A module that draws and names the parameters; it computes nothing.

    Attributes:
        config: the choices.
        n_items, n_fields: sizes.
        n_entities: rows of the entity table.
        n_positives: positive rows of train.
    """

    config: HKRMConfig
    n_items: int
    n_fields: int
    n_entities: int
    n_positives: int

    @nn.compact
    def __call__(self) -> HKRMParameters:
        """Returns the parameters, given to `apply` or drawn by `init`."""
        c, xavier, zeros = self.config, nn.initializers.xavier_uniform(), nn.initializers.zeros
        matrix = () if c.relation == "diagonal" else (c.dim,)
        n_weights = {"item": self.n_items, "interaction": self.n_positives, "uniform": 0}[c.query_weight]
        entity = self.param("entity", xavier, (num_local_rows(self.n_entities), c.dim))
        relation = self.param("relation", xavier, (self.n_fields, c.dim, *matrix))
        empty_query = self.param("empty_query", nn.initializers.normal(0.1), (c.dim,))
        query_weight = self.param("query_weight", nn.initializers.uniform(1.0), (n_weights,)) if n_weights else None
        bias = self.param("bias", zeros, (self.n_items,)) if c.item_bias else jnp.zeros(self.n_items, entity.dtype)
        hidden, output = _Affine(self.n_fields, c.dim, name="hidden")(), _Affine(c.dim, c.dim, name="output")()
        return HKRMParameters(entity, relation, empty_query, hidden, output, query_weight, bias)


class _Affine(nn.Module):
    n_inputs: int
    n_outputs: int

    @nn.compact
    def __call__(self) -> Affine:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (self.n_inputs, self.n_outputs))
        return Affine(kernel, self.param("bias", nn.initializers.zeros, (self.n_outputs,)))
