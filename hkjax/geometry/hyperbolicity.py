"""Tree-likeness of a graph: Gromov's hyperbolicity, estimated from sampled distances.

By the four-point condition (Gromov, Hyperbolic groups, 1987), four nodes have delta = (s - m) / 2, where s and m are
the largest and the second largest of d(a,b) + d(c,d), d(a,c) + d(b,d) and d(a,d) + d(b,c). A graph's delta is the
largest; it is 0 for a tree. The mean over random quadruples is also reported, because the largest describes a
big graph poorly (Adcock, Sullivan, Mahoney: Tree-like structure in large social and information networks, ICDM 2013).
Chami et al. (HGCN, NeurIPS 2019) judge by delta whether hyperbolic space suits a graph.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

_N_NODES = 128
_N_QUADRUPLES = 200_000


class Hyperbolicity(NamedTuple):
    """An estimate for the largest connected component.

    Attributes:
        largest, mean: delta over the sampled quadruples.
        distance: the mean distance between the sampled nodes.
        diameter: the largest distance between them.
        component: the fraction of the nodes with an edge that are in the component.
    """

    largest: float
    mean: float
    distance: float
    diameter: float
    component: float

    @property
    def is_tree_like(self) -> bool:
        """True if the mean delta is below a twentieth of the mean distance."""
        return self.mean < self.distance / 20


def estimate_hyperbolicity(edges: np.ndarray, n_nodes: int, seed: int = 0) -> Hyperbolicity | None:
    """Estimates delta of an undirected graph.

    Args:
        edges: int [edges, 2].
        n_nodes: number of nodes; those without an edge do not count.
        seed: of the sample.

    Returns:
        The estimate; None for a component of fewer than four nodes.
    """
    ones = np.ones(len(edges), np.int8)
    graph = sparse.coo_matrix((ones, (edges[:, 0], edges[:, 1])), (n_nodes, n_nodes)).tocsr()
    _, labels = csgraph.connected_components(graph, directed=False)
    with_edges = np.unique(edges)
    if with_edges.size < 4:
        return None
    largest = np.bincount(labels[with_edges]).argmax()
    members = with_edges[labels[with_edges] == largest]
    random = np.random.default_rng(seed)
    nodes = random.choice(members, min(_N_NODES, members.size), replace=False)
    if nodes.size < 4:
        return None
    distances = csgraph.dijkstra(graph, directed=False, indices=nodes, unweighted=True)[:, nodes]
    a, b, c, d = random.integers(nodes.size, size=(4, _N_QUADRUPLES))
    pairings = (((a, b), (c, d)), ((a, c), (b, d)), ((a, d), (b, c)))
    sums = np.sort([distances[first] + distances[second] for first, second in pairings], axis=0)
    delta = (sums[2] - sums[1]) / 2
    apart = distances[~np.eye(nodes.size, dtype=bool)]
    return Hyperbolicity(
        float(delta.max()), float(delta.mean()), float(apart.mean()), float(apart.max()), members.size / with_edges.size
    )
