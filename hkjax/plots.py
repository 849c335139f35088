"""The pictures of a report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from hkjax.data.dataset import Names
from hkjax.explain import Explanation

_MODEL_COLOUR, _BASELINE_COLOURS = "#c1432e", ("#3b6ea5", "#7a9e46", "#8c6bb1", "#d08c2b")


def training_curves(records: Sequence[Mapping[str, Any]], monitor: str, path: Path) -> None:
    """Draws the train loss and the monitored validation metric against epochs."""
    epochs = [record["epoch"] for record in records]
    monitored = [record[f"validation_{monitor}"] for record in records]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    left.plot(epochs, [record["train_loss"] for record in records], marker="o", color=_BASELINE_COLOURS[0])
    left.set(xlabel="epoch", ylabel="train loss")
    right.plot(epochs, monitored, marker="o", color=_MODEL_COLOUR)
    best = max(range(len(epochs)), key=monitored.__getitem__)
    right.axvline(epochs[best], color="0.7", linestyle="--", label=f"best: {monitored[best]:.4f}")
    right.set(xlabel="epoch", ylabel=f"validation {monitor}")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    _save(figure, path)


def top_k_curves(results: Mapping[str, Mapping[str, float]], ks: Sequence[int], path: Path) -> None:
    """Draws precision, recall and NDCG against K (the paper's Figures 3 and 4), the model first."""
    figure, panels = plt.subplots(1, 3, figsize=(12, 3.4))
    for axes, metric in zip(panels, ("precision", "recall", "ndcg"), strict=True):
        for i, (name, metrics) in enumerate(results.items()):
            colour = _MODEL_COLOUR if i == 0 else _BASELINE_COLOURS[(i - 1) % len(_BASELINE_COLOURS)]
            axes.plot(ks, [metrics[f"{metric}@{k}"] for k in ks], marker="o", color=colour, label=name)
        axes.set(xscale="log", xlabel="K", ylabel=f"{metric}@K")
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.minorticks_off()
    panels[0].legend(frameon=False)
    _save(figure, path)


def preference_heat_map(pair: Sequence[Explanation], names: Names, path: Path) -> None:
    """Draws user preference against item attribute importance for each explanation (the paper's Figure 5)."""
    figure, panels = plt.subplots(1, len(pair), figsize=(5.2 * len(pair), 4.4), squeeze=False)
    top = max(explanation.agreement.max() for explanation in pair)
    for axes, explanation in zip(panels[0], pair, strict=True):
        axes.imshow(explanation.agreement, cmap="OrRd", vmin=0, vmax=top)
        n = len(explanation.fields)
        columns = [f"{f}\n{p:.2f}" for f, p in zip(explanation.fields, explanation.importance, strict=True)]
        rows = [f"{f}  {p:.2f}" for f, p in zip(explanation.fields, explanation.preference, strict=True)]
        axes.set_xticks(range(n), columns, fontsize=8, rotation=30)
        axes.set_yticks(range(n), rows, fontsize=8)
        for i in range(n):
            for j in range(n):
                value = explanation.agreement[i, j]
                axes.text(
                    j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color="w" if value > 0.6 * top else "k"
                )
        verdict = "liked" if explanation.liked else "disliked"
        axes.set(
            title=f"{verdict} item {names.items[explanation.item]}, score {explanation.logit:.2f}",
            xlabel="importance to the item",
            ylabel=f"preference of user {names.users[explanation.user]}",
        )
    _save(figure, path)


def distance_by_popularity(distance: np.ndarray, popularity: np.ndarray, path: Path) -> None:
    """Draws the items' hyperbolic distance to the origin [items] against how many users liked them [items]."""
    figure, axes = plt.subplots(figsize=(5.4, 3.8))
    axes.scatter(1 + popularity, distance, s=4, alpha=0.25, color=_BASELINE_COLOURS[0], linewidths=0)
    bins = np.floor(2 * np.log2(1 + popularity)).astype(int)
    groups = [bins == k for k in np.unique(bins)]
    middles = [float(np.median(1 + popularity[group])) for group in groups]
    axes.plot(middles, [distance[group].mean() for group in groups], marker="o", color=_MODEL_COLOUR, label="mean")
    axes.set(xscale="log", xlabel="1 + users who liked the item", ylabel="distance to the origin")
    axes.legend(frameon=False)
    _save(figure, path)


def poincare_disk(place: np.ndarray, n_items: int, links: np.ndarray, path: Path, most: int = 2000) -> None:
    """Draws items and attributes in the Poincare disk, with some of the links between them.

    Args:
        place: points [entities, 2], items first.
        n_items: how many of them are items.
        links: int [links, 2], pairs of entities.
        path: of the picture.
        most: draw at most so many links, evenly chosen.
    """
    figure, axes = plt.subplots(figsize=(6, 6))
    axes.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.6"))
    for first, second in place[links[:: max(1, -(-len(links) // most))]]:
        axes.plot(*zip(first, second, strict=True), color="0.85", linewidth=0.4, zorder=0)
    for name, part, colour in (
        ("items", place[:n_items], _BASELINE_COLOURS[0]),
        ("attributes", place[n_items:], _MODEL_COLOUR),
    ):
        axes.scatter(part[:, 0], part[:, 1], s=5, alpha=0.6, color=colour, linewidths=0, label=name)
    axes.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), aspect="equal")
    axes.axis("off")
    axes.legend(frameon=False, loc="upper right")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
