"""Sums and softmaxes over the members of a segment: the edges of a node, the items of a history."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import linear_call

from hkjax.graph.blocks import add_rows

WIDTH = 4


class Pieces(NamedTuple):
    """Segments cut into pieces of at most WIDTH members, so that hubs cost no more than their edges.

    Attributes:
        members: int32 [pieces, WIDTH]; padded with the number of all members.
        owner: int32 [pieces], ascending, the segment that a piece belongs to.
    """

    members: jax.Array
    owner: jax.Array


class Incidence(NamedTuple):
    """A fixed relation between sources and segments, kept in both directions.

    Attributes:
        forward: for each segment its sources.
        transpose: for each source its segments.
    """

    forward: Pieces
    transpose: Pieces


def incidence(sources: np.ndarray, segments: np.ndarray, n_sources: int, n_segments: int) -> Incidence:
    """Builds the incidence of pairs (source, segment), given as two int arrays [pairs], on the host."""
    forward, _ = make_pieces(sources, segments, n_sources, n_segments)
    transpose, _ = make_pieces(segments, sources, n_segments, n_sources)
    return Incidence(forward, transpose)


def stack_incidences(parts: list[Incidence], n_sources: int, n_segments: int) -> Incidence:
    """Stacks incidences, filled up to one size, along a leading axis, on the host."""

    def stack(pieces: list[Pieces], n_members: int, n_owners: int) -> Pieces:
        room = max(p.owner.size for p in pieces)
        padding = [(0, room - p.owner.size) for p in pieces]
        members = [
            np.pad(p.members, (pad, (0, 0)), constant_values=n_members) for p, pad in zip(pieces, padding, strict=True)
        ]
        owners = [np.pad(p.owner, pad, constant_values=n_owners - 1) for p, pad in zip(pieces, padding, strict=True)]
        return Pieces(jnp.asarray(np.stack(members)), jnp.asarray(np.stack(owners)))

    return Incidence(
        stack([part.forward for part in parts], n_sources, n_segments),
        stack([part.transpose for part in parts], n_segments, n_sources),
    )


def incident_sum(x: jax.Array, pairs: Incidence, n_segments: int) -> jax.Array:
    """Sums the sources of every segment: y_s = sum of x_i over the pairs (i, s).

    Linear in x, with the transpose written out: a gather in either direction, where autodiff would
    scatter without order. No intermediate of the size [pairs, d] is built.

    Args:
        x: [n_sources, d].
        pairs: who belongs where; n_sources and n_segments are those it was built with.

    Returns:
        [n_segments, d]; zero for a segment without sources.
    """
    n_sources = x.shape[0]
    return linear_call(
        lambda pairs, x: sum_pieces(x, pairs.forward, n_segments),
        lambda pairs, y: sum_pieces(y, pairs.transpose, n_sources),
        pairs,
        x,
    )


def segment_sum(x: jax.Array, segments: jax.Array, n_segments: int) -> jax.Array:
    """Sums x [members, ...] by ascending segment numbers [members] into [n_segments, ...]."""
    return jax.ops.segment_sum(x, segments, n_segments, indices_are_sorted=True)


def segment_softmax(logits: jax.Array, segments: jax.Array, n_segments: int, where: jax.Array) -> jax.Array:
    """Softmax over the members of each segment.

    Args:
        logits: [members].
        segments: int [members], ascending.
        n_segments: number of segments.
        where: bool [members]; members that are left out get 0.

    Returns:
        [members], summing to 1 over each segment that has a member, and finite for all.
    """
    masked = jax.lax.stop_gradient(jnp.where(where, logits, -jnp.inf))
    top = jax.ops.segment_max(masked, segments, n_segments, indices_are_sorted=True)
    shift = jnp.where(jnp.isfinite(top), top, 0)[segments]
    weights = jnp.where(where, jnp.exp(jnp.where(where, logits - shift, 0)), 0)
    total = segment_sum(weights, segments, n_segments)
    return weights / jnp.where(total > 0, total, 1)[segments]


def make_pieces(
    members: np.ndarray, segments: np.ndarray, n_members: int, n_segments: int
) -> tuple[Pieces, np.ndarray]:
    """Cuts segments into pieces, on the host.

    Args:
        members, segments: int [pairs], who is a member of which segment.
        n_members, n_segments: how many there are.

    Returns:
        The pieces, and the place of each pair in the flattened `members` of the pieces.
    """
    order = np.argsort(segments, kind="stable")
    owner = segments[order]
    degree = np.bincount(segments, minlength=n_segments)
    count = -(-degree // WIDTH)
    rank = np.arange(len(order)) - (np.cumsum(degree) - degree)[owner]
    place = np.empty(len(order), np.int64)
    place[order] = (np.cumsum(count) - count)[owner] * WIDTH + rank
    padded = np.full(int(count.sum()) * WIDTH, n_members, np.int32)
    padded[place] = members
    owners = np.repeat(np.arange(n_segments, dtype=np.int32), count)
    return Pieces(jnp.asarray(padded.reshape(-1, WIDTH)), jnp.asarray(owners)), place


def sum_pieces(x: jax.Array, pieces: Pieces, n_segments: int, weights: jax.Array | None = None) -> jax.Array:
    """Sums the members of every segment: [n_segments, d].

    Args:
        x: [members, d].
        pieces: the segments.
        n_segments: how many.
        weights: [pieces, WIDTH], 0 in the padding; 1 for every member if absent.
    """

    def add(total: jax.Array, block: tuple[jax.Array, ...]) -> jax.Array:
        members, owner, weights = block
        # A sum of gathers fuses into one loop over the pieces; a gather of all members would not.
        terms = [weights[:, k, None] * x.at[members[:, k]].get(mode="clip") for k in range(WIDTH)]
        return total.at[owner].add(sum(terms[1:], start=terms[0]), indices_are_sorted=True)

    if weights is None:
        weights = (pieces.members < x.shape[0]).astype(x.dtype)
    zeros = jnp.zeros((n_segments, *x.shape[1:]), x.dtype)
    return add_rows(add, zeros, (*pieces, weights), (x.shape[0], max(n_segments - 1, 0), 0))
