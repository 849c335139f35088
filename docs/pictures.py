"""The pictures of the documentation, drawn from generated data and from nothing else.

python docs/pictures.py

Trains small models with fixed seeds and writes docs/_static/pictures/. The same machine writes the same files again.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from cycler import cycler
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

import hkjax
from hkjax.evaluation.ranking import rank_users
from hkjax.geometry import cones, poincare
from hkjax.models.hakg.explain import distance_by_popularity, poincare_disk
from hkjax.models.hkrm.explain import preference_heat_map, typical_pair
from hkjax.training.trainer import make_trainer

FOLDER = Path(__file__).parent / "_static/pictures"
LARGEST_SVG = 150_000  # Bytes; a larger picture is written as PNG.
RED, BLUE, GREEN, PURPLE, ORANGE = COLOURS = ("#c1432e", "#3b6ea5", "#7a9e46", "#8c6bb1", "#d08c2b")
STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "svg.hashsalt": "hkjax",
}
SEEDS = (0, 1, 2)

# Data of one field, whose values form a tree: items with a value are liked by the same users.
DISK_DATA = hkjax.SyntheticConfig(
    n_users=400, n_items=150, n_fields=1, n_values=6, positives=15, zipf=0.2, preference=5.0, coverage=1.0, branching=3
)
DISK_MODEL = hkjax.HAKGConfig(dim=2, layers=1, negatives=50, angle_weight=1.0, aperture=0.3)
ABLATION_DATA = hkjax.SyntheticConfig(n_users=600, n_items=200)
ABLATION_MODEL = hkjax.HAKGConfig(dim=32, layers=2, negatives=50)
ABLATIONS: dict[str, dict[str, Any]] = {
    "slides": {},
    "euclidean message": {"message": "euclidean"},
    "no angle loss": {"angle_weight": 0.0},
    "no gate": {"gate": False},
    "no dual items": {"dual_items": False},
}
PREFERENCE_DATA = hkjax.SyntheticConfig(n_users=800, n_items=200)


class Trained(NamedTuple):
    """A model, its data, and what training with each seed came to.

    Attributes:
        data: the data set.
        model: the functions.
        representations: of each seed.
        recall: recall@20 on test of each seed.
    """

    data: hkjax.Dataset
    model: hkjax.Recommender
    representations: list[Any]
    recall: list[float]


def generate(sizes: hkjax.SyntheticConfig, split: Any = "per_user") -> hkjax.Dataset:
    """Generates a data set, whose fields and values have names to read."""
    fields = ["genre", "author", "decade", "language"][: sizes.n_fields]
    config = hkjax.DataConfig(split=split, fields={name: (k,) for k, name in enumerate(fields)})
    data = hkjax.synthetic_dataset(sizes, config, seed=0)
    names = [f"item {k}" for k in range(data.n_items)]
    links = {head: tail for head, relation, tail in data.triples if relation >= sizes.n_fields}
    parents, n_nodes = set(links.values()), (data.n_entities - data.n_items) // sizes.n_fields
    for k in range(data.n_items, data.n_entities):
        field, node = divmod(k - data.n_items, n_nodes)
        below = sorted(node for node, parent in links.items() if parent == k)
        if k not in parents:
            names.append(f"{fields[field]} {'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[node]}")
        elif k in links:
            names.append(f"{names[below[0]]}–{names[below[-1]][-1]}")  # noqa: RUF001
        else:
            names.append(f"any {fields[field]}")
    return dataclasses.replace(data, names=data.names._replace(entities=names))


def train(data: hkjax.Dataset, model: hkjax.Recommender, rate: float, epochs: int, seeds: Iterable[int]) -> Trained:
    """Trains a model by Adam, once for each seed."""
    trainer, encode = make_trainer(model, optax.adam(rate)), jax.jit(model.encode)
    representations, recall = [], []
    for seed in seeds:
        key = jax.random.key(seed)
        state = trainer.init(key)
        for epoch in range(epochs):
            order_key, steps_key = jax.random.split(jax.random.fold_in(key, epoch))
            order = trainer.epoch_order(order_key)
            state = trainer.train_steps(state, order, model.batches.steps_per_epoch, steps_key)
        representations.append(encode(trainer.params(state), model.inputs))
        relevant, seen = data.test.positives(), data.seen("train", "validation")
        ranking = rank_users(model, representations[-1], data.n_items, relevant, seen, (20,))
        recall.append(float(ranking.metrics["recall@20"].mean()))
    return Trained(data, model, representations, recall)


def disk(trained: Trained, aperture: float) -> Figure:
    """A two-dimensional HAKG: items and attributes in the Poincare disk, and the cones of the attributes of items."""
    data, points = trained.data, np.asarray(trained.representations[0].entity_points)[: trained.data.n_entities]
    figure = Figure(figsize=(5, 5))
    picture = poincare_disk(points, data.n_items, data.triples[:, [0, 2]], data.names.entities)
    with rc_context({"axes.prop_cycle": cycler(color=(RED, BLUE)), "font.size": 10}):
        picture.draw(figure)
    (axes,) = figure.axes
    heads, tails = data.triples[:, 0], data.triples[:, 2]
    for k, apex in enumerate(np.unique(tails[heads < data.n_items])):
        axes.add_patch(
            Polygon(cone(points[apex], aperture), color=COLOURS[k % 5], alpha=0.13, linewidth=0, zorder=-1)
        )
    return figure


def cone(apex: np.ndarray, aperture: float, n: int = 40) -> np.ndarray:
    """The outline of the entailment cone at a point of the disk: two geodesics and the arc between their ends."""
    half = float(cones.half_aperture(apex, aperture, 1.0))
    outward = np.arctan2(apex[1], apex[0])
    sides = []
    for angle in (outward - half, outward + half):
        direction = np.array([np.cos(angle), np.sin(angle)])
        lengths = np.linspace(0, 4, n)[:, None] * (1 - apex @ apex)
        sides.append(np.asarray(jax.vmap(poincare.exp_map, (None, 0, None))(apex, lengths * direction, 1.0)))
    first, last = (np.arctan2(side[-1, 1], side[-1, 0]) for side in sides)
    turn = np.linspace(first, first + (last - first) % (2 * np.pi), n)
    return np.concatenate([sides[0], np.stack([np.cos(turn), np.sin(turn)], axis=-1), sides[1][::-1]])


def distance(trained: Trained) -> Figure:
    """The items' distance to the origin against their popularity."""
    data = trained.data
    points = np.asarray(trained.representations[0].entity_points)[: data.n_items]
    popularity = np.bincount(data.train.positives().items, minlength=data.n_items)
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    distance_by_popularity(np.asarray(poincare.distance_zero(points, 1.0)), popularity).draw(figure)
    figure.axes[0].set_title("HAKG on generated data: popular items lie elsewhere", fontsize=10)
    return figure


def preference(trained: Trained) -> Figure:
    """HKRM's heat map of a user's preference against a positive item's importance."""
    data, model, representation = trained.data, trained.model, trained.representations[0]
    logits = np.asarray(model.score_pairs(representation, *map(jax.numpy.asarray, data.test[:2])))
    pair = typical_pair(representation, data, logits)
    assert pair is not None
    figure = Figure(figsize=(5, 5), layout="constrained")
    preference_heat_map(pair[:1], data).draw(figure)
    return figure


def ablation(recall: Mapping[str, Sequence[float]], popularity: float) -> Figure:
    """Bars of recall@20 by ablation: means over seeds, with standard deviations."""
    figure = Figure(figsize=(6.4, 2.9), layout="constrained")
    axes = figure.subplots()
    names = list(recall)
    means = [np.mean(recall[name]) for name in names]
    bars = axes.barh(
        names,
        means,
        xerr=[np.std(recall[name]) for name in names],
        color=[RED if name == "slides" else BLUE for name in names],
        error_kw={"ecolor": "0.2", "capsize": 3},
        height=0.66,
    )
    axes.bar_label(bars, [f"{mean:.3f}" for mean in means], label_type="center", color="w", fontsize=9)
    axes.axvline(popularity, color="0.35", linestyle="--", linewidth=1)
    axes.annotate("popularity", (popularity, len(names) - 0.45), fontsize=8, color="0.35", ha="center", va="bottom")
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("recall@20 on test, mean and standard deviation of three seeds")
    axes.set_title("HAKG's ablations on generated data", fontsize=10)
    return figure


def popularity_recall(data: hkjax.Dataset) -> float:
    """Recall@20 of item popularity."""
    model = hkjax.popularity(data)
    representation = model.encode(model.init(jax.random.key(0)), model.inputs)
    ranking = rank_users(
        model, representation, data.n_items, data.test.positives(), data.seen("train", "validation"), (20,)
    )
    return float(ranking.metrics["recall@20"].mean())
