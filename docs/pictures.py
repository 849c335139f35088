"""The pictures of the documentation, drawn from generated data and from nothing else.

python docs/pictures.py

Trains small models with fixed seeds and writes docs/_static/pictures/. The same machine writes the same files again.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from cycler import cycler
from diagrams import BLUE, COLOURS, RED, cone, idea_hakg, idea_hkrm
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

import hkjax
from hkjax.evaluation.ranking import rank_users
from hkjax.geometry import poincare
from hkjax.models.hakg.explain import distance_by_popularity, poincare_disk
from hkjax.models.hkrm.explain import explain, preference_heat_map
from hkjax.training.trainer import make_trainer

FOLDER = Path(__file__).parent / "_static/pictures"
LARGEST_SVG = 150_000  # Bytes; a larger picture is written as PNG.
STYLE: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "svg.hashsalt": "hkjax",
}

# Data of one field, whose values form a tree: items with a value are liked by the same users.
DISK_DATA = hkjax.SyntheticConfig(
    n_users=400, n_items=150, n_fields=1, n_values=6, positives=15, zipf=0.2, preference=5.0, coverage=1.0, branching=3
)
DISK_MODEL = hkjax.HAKGConfig(dim=2, layers=1, negatives=20, angle_weight=1.0, aperture=0.3)
ABLATION_DATA = hkjax.SyntheticConfig(n_users=400, n_items=200, zipf=0.8)
ABLATION_MODEL = hkjax.HAKGConfig(dim=32, layers=1, negatives=20)
ABLATIONS: dict[str, dict[str, Any]] = {
    "slides": {},
    "euclidean message": {"message": "euclidean"},
    "no angle loss": {"angle_weight": 0.0},
    "no gate": {"gate": False},
    "no dual items": {"dual_items": False},
}
PREFERENCE_DATA = hkjax.SyntheticConfig(n_users=800, n_items=200, preference=6.0, coverage=1.0)
PREFERENCE_MODEL = hkjax.HKRMConfig(dim=32, divergence_weight=0.1)


class Trained(NamedTuple):
    """A trained model.

    Attributes:
        data: the data set.
        model: the functions.
        representation: of the best epoch.
        recall: its recall@20 on test.
    """

    data: hkjax.Dataset
    model: hkjax.Recommender
    representation: Any
    recall: float


def generate(sizes: hkjax.SyntheticConfig, split: Any = "per_user") -> hkjax.Dataset:
    """Generates a data set, whose fields and values have names to read."""
    fields = ["genre", "author", "decade", "language"][: sizes.n_fields]
    config = hkjax.DataConfig(split=split, fields={name: (k,) for k, name in enumerate(fields)})
    data = hkjax.synthetic_dataset(sizes, config, seed=0)
    names = [f"#{k}" for k in range(data.n_items)]
    links = {head: tail for head, relation, tail in data.triples if relation >= sizes.n_fields}
    parents, n_nodes = set(links.values()), (data.n_entities - data.n_items) // sizes.n_fields
    for k in range(data.n_items, data.n_entities):
        field, node = divmod(k - data.n_items, n_nodes)
        below = sorted(node for node, parent in links.items() if parent == k)
        if k not in parents:
            letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[node]
            names.append(f"{fields[field]} {letter}" if len(fields) == 1 else letter)
        elif k in links:
            names.append(f"{names[below[0]]}–{names[below[-1]][-1]}")  # noqa: RUF001
        else:
            names.append(f"any {fields[field]}")
    return dataclasses.replace(data, names=data.names._replace(entities=names))


def train(
    data: hkjax.Dataset, model: hkjax.Recommender, rate: float, epochs: int, every: int, n_seeds: int = 1
) -> list[Trained]:
    """Trains a model by Adam, once for each seed; keeps the best of every few epochs by recall@20 on validation."""
    trainer, encode, trained = make_trainer(model, optax.adam(rate)), jax.jit(model.encode), []
    for seed in range(n_seeds):
        key, best = jax.random.key(seed), -1.0
        state = trainer.init(key)
        for epoch in range(epochs):
            order_key, steps_key = jax.random.split(jax.random.fold_in(key, epoch))
            order = trainer.epoch_order(order_key)
            state = trainer.train_steps(state, order, model.batches.steps_per_epoch, steps_key)
            if (epoch + 1) % every:
                continue
            representation = encode(trainer.params(state), model.inputs)
            found = recall(data, model, representation, "validation")
            if found > best:
                best, kept = found, representation
        trained.append(Trained(data, model, kept, recall(data, model, kept, "test")))
    return trained


def recall(data: hkjax.Dataset, model: hkjax.Recommender, representation: Any, part: str) -> float:
    """Recall@20 on one part of the data."""
    seen = data.seen("train") if part == "validation" else data.seen("train", "validation")
    ranking = rank_users(model, representation, data.n_items, getattr(data, part).positives(), seen, (20,))
    return float(ranking.metrics["recall@20"].mean())


def disk(trained: Trained, aperture: float) -> Figure:
    """A two-dimensional HAKG: items and attributes in the Poincare disk, and the cone of one attribute."""
    data, points = trained.data, np.asarray(trained.representation.entity_points)[: trained.data.n_entities]
    attributes = np.unique(data.triples[data.triples[:, 0] < data.n_items, 2])
    figure = Figure(figsize=(5, 5), layout="constrained")
    with rc_context({"axes.prop_cycle": cycler(color=(RED, BLUE)), "font.size": 10}):
        names, links = data.names.entities, data.triples[:, [0, 2]]
        poincare_disk(points, data.n_items, links, names, n_labels=len(attributes)).draw(figure)
    (axes,) = figure.axes
    apex = attributes[np.argmax(np.linalg.norm(points[attributes], axis=1))]
    outline = Polygon(cone(points[apex], aperture), color=RED, alpha=0.12, linewidth=0, label=f"cone of {names[apex]}")
    axes.add_patch(outline).set_zorder(-1)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=3, markerscale=2)
    axes.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02))
    axes.set_title("HAKG in two dimensions (generated data)", fontsize=10.5)
    return figure


def distance(trained: Trained) -> Figure:
    """The items' distance to the origin against their popularity."""
    data = trained.data
    points = np.asarray(trained.representation.entity_points)[: data.n_items]
    popularity = np.bincount(data.train.positives().items, minlength=data.n_items)
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    distance_by_popularity(np.asarray(poincare.distance_zero(points, 1.0)), popularity).draw(figure)
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500) if popularity.min() < k <= 1.1 * popularity.max()]
    figure.axes[0].set_xticks(ticks)
    figure.axes[0].set_title("HAKG of one layer (generated data)", fontsize=10)
    return figure


def preference(trained: Trained) -> Figure:
    """HKRM's heat map of preference against importance, for the user whose preference is the most pronounced."""
    data, model, representation = trained.data, trained.model, trained.representation
    assert data.true_field is not None
    rows = data.test.positives()
    user = rows.users[np.argmax(np.asarray(representation.preference).max(1)[rows.users])]
    items = rows.items[rows.users == user]
    scores = model.score_pairs(representation, np.full_like(items, user), items)
    shown = explain(representation, data, int(user), int(items[np.argmax(scores)]), label=1)
    figure = Figure(figsize=(5, 5), layout="constrained")
    preference_heat_map([shown], data).draw(figure)
    figure.axes[0].tick_params("x", rotation=0)
    true = shown.fields[data.true_field[user]]
    figure.suptitle(f"HKRM (generated data: this user prefers by {true})", fontsize=10.5)
    return figure


def ablation(results: Mapping[str, Sequence[float]], popularity: float) -> Figure:
    """Bars of recall@20 by ablation: means over seeds, with standard deviations."""
    figure = Figure(figsize=(6.4, 2.9), layout="constrained")
    axes = figure.subplots()
    names = list(results)
    means = [np.mean(results[name]) for name in names]
    bars = axes.barh(
        names,
        means,
        xerr=[np.std(results[name]) for name in names],
        color=[RED if name == "slides" else BLUE for name in names],
        error_kw={"ecolor": "0.2", "capsize": 3},
        height=0.66,
    )
    axes.bar_label(bars, [f"{mean:.3f}" for mean in means], label_type="center", color="w", fontsize=9)
    axes.axvline(popularity, color="0.35", linestyle="--", linewidth=1)
    axes.annotate("popularity", (popularity, -0.5), fontsize=8, color="0.35", ha="center", va="bottom")
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("recall@20 on test, mean and standard deviation of three seeds")
    axes.set_title("HAKG's ablations on generated data", fontsize=10, pad=16)
    return figure


def save(figure: Figure, name: str, folder: Path) -> Path:
    """Writes a figure as SVG, or as PNG if that is large; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    if path.stat().st_size > LARGEST_SVG:
        path.unlink()
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=160, metadata={"Software": None})
    return path


def pictures() -> dict[str, Callable[[], Figure]]:
    """Trains what the pictures show; how to draw each, by its name."""
    disk_data, data = generate(DISK_DATA), generate(ABLATION_DATA)
    hkrm_data = generate(PREFERENCE_DATA, split="random")
    popularity = hkjax.popularity(data)
    by_popularity = popularity.encode(popularity.init(jax.random.key(0)), popularity.inputs)
    # Two at a time, since compiling takes most of it.
    with ThreadPoolExecutor(2) as pool:
        disk_model = hkjax.hakg(DISK_MODEL, disk_data, 1024)
        in_disk = pool.submit(train, disk_data, disk_model, 0.05, 60, every=60)
        explained = pool.submit(train, hkrm_data, hkjax.hkrm(PREFERENCE_MODEL, hkrm_data, 256), 0.01, 20, every=20)
        ablations = {}
        for name, choices in ABLATIONS.items():
            model = hkjax.hakg(dataclasses.replace(ABLATION_MODEL, **choices), data, 1024)
            ablations[name] = pool.submit(train, data, model, 0.01, 20, every=4, n_seeds=3)
    results = {name: [x.recall for x in future.result()] for name, future in ablations.items()}
    return {
        "disk": lambda: disk(in_disk.result()[0], DISK_MODEL.aperture),
        "distance": lambda: distance(ablations["slides"].result()[0]),
        "preference": lambda: preference(explained.result()[0]),
        "ablation": lambda: ablation(results, recall(data, popularity, by_popularity, "test")),
        "idea_hkrm": idea_hkrm,
        "idea_hakg": idea_hakg,
    }


def main() -> None:
    """Draws all pictures into the folder of the documentation."""
    for name, draw in pictures().items():
        with rc_context(STYLE):
            print(save(draw(), name, FOLDER))


if __name__ == "__main__":
    main()
