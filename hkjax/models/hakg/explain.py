"""HAKG's geometry in reports: the places of items and attributes in the Poincare ball."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.geometry import poincare
from hkjax.models.base import Insight, Picture, Recommender
from hkjax.models.hakg.representation import HAKGRepresentation
from hkjax.transfer import to_host


def hakg_insight(recommender: Recommender, representation: HAKGRepresentation, data: Dataset) -> Insight:
    """Draws the items' distances to the origin and, in two dimensions, the Poincare disk."""
    del recommender
    points = to_host(representation.entity_points)[: data.n_entities]
    popularity = np.bincount(data.train.positives().items, minlength=data.n_items)
    distance = np.asarray(poincare.distance_zero(points[: data.n_items], 1.0))
    pictures = [distance_by_popularity(distance, popularity)]
    if points.shape[1] == 2:
        pictures.append(poincare_disk(points, data.n_items, data.triples[:, [0, 2]], data.names.entities))
    return Insight(pictures, learned=hierarchy(points, data))


def hierarchy(points: np.ndarray, data: Dataset, most: int = 8) -> list[str]:
    """Names the attributes nearest to the origin, the general ones, and those farthest from it, in sentences.

    Args:
        points: all entities in the ball, [entities, d].
        data: the data set.
        most: the number of each to name, among the attributes of at least ten triples.
    """
    degree = np.bincount(data.triples[:, [0, 2]].ravel(), minlength=data.n_entities)[data.n_items :]
    common = data.n_items + np.flatnonzero(degree >= 10)
    if len(common) < 2 * most:
        return []
    distance = np.asarray(poincare.distance_zero(points[common], 1.0))
    order, names = common[np.argsort(distance, kind="stable")], data.names.entities
    ends = (("nearest to", order[:most], distance.min()), ("farthest from", order[::-1][:most], distance.max()))
    return [
        f"attributes {where} the origin ({at:.2f}): {', '.join(names[entity] for entity in chosen)}"
        for where, chosen, at in ends
    ]


def distance_by_popularity(distance: np.ndarray, popularity: np.ndarray) -> Picture:
    """Draws the items' hyperbolic distance to the origin [items] against their number of positives [items]."""
    bins = np.floor(2 * np.log2(1 + popularity)).astype(int)
    groups = [bins == k for k in np.unique(bins)]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.scatter(1 + popularity, distance, s=4, alpha=0.25, color="C1", linewidths=0)
        medians = [float(np.median(1 + popularity[group])) for group in groups]
        axes.plot(medians, [distance[group].mean() for group in groups], marker="o", color="C0", label="mean")
        axes.set(xscale="log", xlabel="1 + positives of the item", ylabel="distance to the origin")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.legend(frameon=False)

    return Picture("Distance to the origin against popularity", "distance", (5.4, 3.8), draw)


def poincare_disk(
    points: np.ndarray, n_items: int, links: np.ndarray, names: Sequence[str], most: int = 2000, n_labels: int = 12
) -> Picture:
    """Draws items and attributes in the Poincare disk, some of their links, and names of the most linked attributes.

    Where no point comes near the boundary, the picture shows only the middle of the disk.

    Args:
        points: [entities, 2], items first.
        n_items: number of items.
        links: int [links, 2], pairs of entities.
        names: the entities' names.
        most: the largest number of links to draw, evenly chosen.
        n_labels: the number of attributes to name.
    """
    degree = np.bincount(links.ravel(), minlength=len(points))
    named = n_items + np.argsort(-degree[n_items:], kind="stable")[:n_labels]
    reach = min(1.02, 1.15 * float(np.linalg.norm(points, axis=1).max()))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        turn = np.linspace(0, 2 * np.pi, 400)
        axes.plot(np.cos(turn), np.sin(turn), color="0.6", linewidth=1)
        for first, second in points[links[:: max(1, -(-len(links) // most))]]:
            axes.plot(*zip(first, second, strict=True), color="0.85", linewidth=0.4, zorder=0)
        for name, part, colour in (("items", points[:n_items], "C1"), ("attributes", points[n_items:], "C0")):
            axes.scatter(part[:, 0], part[:, 1], s=5, alpha=0.6, color=colour, linewidths=0, label=name)
        for entity in named:
            axes.annotate(names[entity][:24], points[entity], fontsize=7, xytext=(3, 3), textcoords="offset points")
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axes.axis("off")
        axes.legend(frameon=False, loc="upper right")

    return Picture("Items and attributes in the Poincare disk", "disk", (6, 6), draw)
