"""Attributes of the items as sparse rows, by relation: what the cosines T_r are computed from."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from hkjax.data.dataset import Dataset
from hkjax.errors import InputError, nearest
from hkjax.ops.sparse import Edges, make_edges, spmm, spmm_transposed


class Content(NamedTuple):
    """The rows A_r of all relations, side by side.

    Attributes:
        edges: (item, attribute) with A_ie as `attr`; attributes are numbered over all relations.
        relation: int32 [attributes], the place of each one's relation.
        has: 1 where an item has an attribute of the relation, [items, relations].
        entity: int32 [attributes], the entity that it is; of a path its last one.
    """

    edges: Edges
    relation: jax.Array
    has: jax.Array
    entity: jax.Array


def make_content(data: Dataset, relations: Sequence[str]) -> Content:
    """Weighs the attributes of the named relations by tf-idf, each relation's rows of unit length.

    Args:
        data: the items and the triples.
        relations: names of relations in either direction; R1/R2 for a path.

    Raises:
        InputError: a relation is unknown.
    """
    items, attributes, weights, owner, entity = [], [], [], [], []
    has = np.zeros((data.n_items, len(relations)), np.float32)
    count = 0
    for k, name in enumerate(relations):
        rows, ends = _weighted(_reached(data, name))
        item, column = rows.nonzero()
        items.append(item)
        attributes.append(column + count)
        weights.append(rows.data)
        owner.append(np.full(len(ends), k))
        entity.append(ends)
        has[item, k] = 1
        count += len(ends)

    def joined(parts: list[np.ndarray], kind: type) -> np.ndarray:
        return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)

    edges = make_edges(joined(items, np.int32), joined(attributes, np.int32), joined(weights, np.float32))
    return Content(edges, *map(jnp.asarray, (joined(owner, np.int32), has, joined(entity, np.int32))))


def cosine_sums(content: Content, weights: jax.Array, x: jax.Array) -> jax.Array:
    """Multiplies rows with the weighted cosines: x sum_r w_r T_r, without the diagonal.

    Args:
        content: the rows A_r.
        weights: w, [relations].
        x: histories, [B, items].

    Returns:
        [B, items].
    """
    edges, n = content.edges, x.shape[1]
    if not content.relation.size:
        return jnp.zeros_like(x)
    reached = spmm_transposed(edges.attr, x.T, edges, content.relation.size) * weights[content.relation][:, None]
    return spmm(edges.attr, reached, edges, n).T - x * (content.has @ weights)


def item_cosines(content: Content, row: jax.Array, item: jax.Array) -> jax.Array:
    """Computes the cosines' sums for one history [items] and one item, by relation: sum_i x_i T_r,ij, [relations]."""
    edges, n = content.edges, content.relation.size
    if not n:
        return jnp.zeros(content.has.shape[1], row.dtype)
    reached = spmm_transposed(edges.attr, row[:, None], edges, n)[:, 0]
    own = _attributes_of(content, item)
    sums = jax.ops.segment_sum(own * reached, content.relation, content.has.shape[1], indices_are_sorted=True)
    return sums - row[item] * content.has[item]


def fact_sums(content: Content, weights: jax.Array, row: jax.Array, item: jax.Array, places: jax.Array) -> jax.Array:
    """Computes what facts of an item add for a history [items]: w_r A_je sum of x_i A_ie over the others i, [facts].

    Args:
        content: the rows A_r.
        weights: w, [relations].
        row: the history, [items].
        item: the item j.
        places: the attributes of its facts, from `fact_columns`; -1 for one that is none.
    """
    edges, n = content.edges, content.relation.size
    own = _attributes_of(content, item)
    reached = spmm_transposed(edges.attr, row[:, None], edges, n)[:, 0] - row[item] * own
    found = (own * reached * weights[content.relation])[jnp.maximum(places, 0)]
    return jnp.where(places >= 0, found, 0)


def fact_columns(data: Dataset, relations: Sequence[str], content: Content) -> jax.Array:
    """Returns the attribute of each (relation, entity), int32 [2 * relations, entities]; -1 where there is none.

    Relation n_relations + r is r in reverse; a path is no relation of facts.
    """
    columns = np.full((2 * data.n_relations, data.n_entities), -1, np.int32)
    for k, name in enumerate(relations):
        if name in data.names.relations:
            own = np.flatnonzero(np.asarray(content.relation) == k)
            number = data.names.relations.index(name)
            for direction in (number, number + data.n_relations):
                columns[direction, np.asarray(content.entity)[own]] = own
    return jnp.asarray(columns)


def _attributes_of(content: Content, item: jax.Array) -> jax.Array:
    """Returns A_je of one item, [attributes]."""
    edges = content.edges
    own = jnp.where(edges.rows == item, edges.attr, 0)
    return jnp.zeros(content.relation.size, own.dtype).at[edges.columns].add(own)


def shared_attributes(data: Dataset, name: str) -> sparse.csr_array:
    """Returns A_r of a relation or a path, [items, attributes that several items have]."""
    return _weighted(_reached(data, name))[0]


def _reached(data: Dataset, name: str) -> sparse.csr_array:
    """Returns which entities each item reaches by a relation or a path, [items, entities]."""
    reached: sparse.csr_array | None = None
    for part in [name] if name in data.names.relations else name.split("/"):
        if part not in data.names.relations:
            raise InputError(f"model.content: unknown relation {part!r}{nearest(part, data.names.relations)}")
        head, _, tail = data.triples[data.triples[:, 1] == data.names.relations.index(part)].T
        ones, shape = np.ones(2 * len(head), np.float32), (data.n_entities, data.n_entities)
        step = sparse.csr_array((ones, (np.append(head, tail), np.append(tail, head))), shape)
        reached = step[: data.n_items] if reached is None else reached @ step
    assert reached is not None
    reached.data[:] = 1
    return reached


def _weighted(has: sparse.csr_array) -> tuple[sparse.csr_array, np.ndarray]:
    """Weighs attributes that several items have by log(n / count); returns unit rows, and the entities."""
    has = sparse.csr_array((np.ones(has.nnz, np.float32), has.indices, has.indptr), has.shape)
    has.sum_duplicates()
    has.data[:] = 1
    count = np.asarray(has.sum(0)).ravel()
    kept = np.flatnonzero(count > 1)
    rows = (has[:, kept] @ sparse.diags_array(np.log(has.shape[0] / count[kept]).astype(np.float32))).tocsr()
    rows.eliminate_zeros()
    length = np.sqrt(np.asarray((rows**2).sum(1)).ravel())
    rows = (sparse.diags_array(1 / np.where(length > 0, length, 1)) @ rows).tocsr().astype(np.float32)
    rows.sort_indices()
    return rows, kept
