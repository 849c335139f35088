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
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

import hkjax
from hkjax.evaluation.ranking import rank_users
from hkjax.geometry import cones, poincare
from hkjax.models.hakg.explain import distance_by_popularity, poincare_disk
from hkjax.models.hkrm.explain import preference_heat_map, typical_pair
from hkjax.training.trainer import make_trainer

FOLDER = Path(__file__).parent / "_static/pictures"
LARGEST_SVG = 150_000  # Bytes; a larger picture is written as PNG.
RED, BLUE, GREEN, PURPLE, ORANGE = COLOURS = ("#c1432e", "#3b6ea5", "#7a9e46", "#8c6bb1", "#d08c2b")
FIELDS = (GREEN, PURPLE, ORANGE, "#4aa3a2")
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
        axes.add_patch(Polygon(cone(points[apex], aperture), color=COLOURS[k % 5], alpha=0.13, linewidth=0, zorder=-1))
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


def canvas(width: float, height: float) -> tuple[Figure, Any]:
    """A figure with one plane of its size in inches to draw on."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.axis("off")
    return figure, axes


def box(axes: Any, x: float, y: float, width: float, height: float, text: str, colour: str, size: float = 9.5) -> None:
    """A rounded box of pale colour with centred text; x and y are its centre."""
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner, width, height, boxstyle="round,pad=0,rounding_size=0.09", facecolor=f"{colour}22", edgecolor=colour
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=size, linespacing=1.5)


def arrow(
    axes: Any, start: tuple[float, float], end: tuple[float, float], colour: str = "0.35", style: str = "-|>", **kw: Any
) -> None:
    """An arrow from start to end."""
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle=style, mutation_scale=11, color=colour, linewidth=1.1, shrinkA=0, shrinkB=0, **kw
        )
    )


def card(axes: Any, x: float, y: float, name: str, missing: Sequence[int] = ()) -> None:
    """An item as a card: its name and a square for each attribute field, empty where the item has no value."""
    axes.add_patch(
        FancyBboxPatch(
            (x - 0.62, y - 0.19),
            1.24,
            0.38,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="w",
            edgecolor="0.55",
        )
    )
    axes.text(x - 0.4, y - 0.01, name, ha="center", va="center", fontsize=10)
    for j, colour in enumerate(FIELDS):
        face = "none" if j in missing else colour
        axes.add_patch(
            Rectangle((x - 0.14 + 0.18 * j, y - 0.065), 0.13, 0.13, facecolor=face, edgecolor=colour, linewidth=1)
        )


def bars_of_fields(axes: Any, x: float, y: float, heights: Sequence[float], colour: str) -> None:
    """A distribution over the fields: one bar for each, in a frame; x and y are the frame's centre."""
    box(axes, x, y, 1.5, 0.92, "", colour)
    for j, height in enumerate(heights):
        axes.add_patch(Rectangle((x - 0.53 + 0.28 * j, y - 0.36), 0.2, height, color=FIELDS[j]))


def idea_hkrm() -> Figure:
    """HKRM's idea: two sides, two levels, four inner products."""
    figure, axes = canvas(9, 4.6)
    item_level, field_level, attribute_level = 3.45, 1.45, 2.45
    axes.text(0.38, 4.3, "query: items that the user liked", ha="left", fontsize=10, weight="bold", color=BLUE)
    axes.text(8.62, 4.3, "target: the item to score", ha="right", fontsize=10, weight="bold", color=RED)
    for y, name, missing in ((3.45, "$e_1$", ()), (2.95, "$e_2$", (2,)), (2.1, "$e_m$", (1,))):
        card(axes, 1, y, name, missing)
    axes.text(1, 2.53, "⋮", ha="center", va="center", fontsize=12)
    card(axes, 8, 2.75, "$e_t$", (3,))
    note = "squares: attribute fields,\nempty without a value"
    axes.text(1, 1.7, note, ha="center", va="top", fontsize=8, color="0.35", linespacing=1.4)

    for sign, x, colour, item, bars, eq in (
        (1, 2.75, BLUE, "$q_s=\\sum_i w_i\\,e_i$", (0.58, 0.16, 0.3, 0.1), ("eq. 1, 2", "eq. 4", "eq. 6")),
        (-1, 6.25, RED, "$t_s=e_t$", (0.44, 0.2, 0.34, 0.0), ("eq. 1", "eq. 5", "eq. 7")),
    ):
        side = "q" if sign > 0 else "t"
        high, low = (3.2, 2.2) if sign > 0 else (2.82, 2.68)
        box(axes, x, item_level, 1.5, 0.56, item, colour, 10.5)
        bars_of_fields(axes, x, field_level, bars, colour)
        box(axes, x + sign * 0.53, attribute_level, 0.56, 0.42, f"${side}_A$", colour, 10.5)
        cards = 4.5 - sign * 2.8
        arrow(axes, (cards, high), (x - sign * 0.8, item_level))
        arrow(axes, (cards, low), (x - sign * 0.8, field_level + 0.1))
        arrow(axes, (x - sign * 0.35, item_level - 0.31), (x - sign * 0.35, field_level + 0.49))
        arrow(axes, (x + sign * 0.53, field_level + 0.49), (x + sign * 0.53, attribute_level - 0.24))
        arrow(axes, (x + sign * 0.78, item_level), (4.5 - sign * 0.68, 3.12))
        arrow(axes, (x + sign * 0.84, attribute_level + 0.05), (4.5 - sign * 0.68, 2.76))
        axes.text(x + sign * 0.6, 2.08, f"MLP, {eq[2]}", ha="left" if sign > 0 else "right", va="center", fontsize=8)
        axes.text(x, item_level + 0.38, f"item level, {eq[0]}", ha="center", fontsize=9, color=colour)
        axes.text(x, 0.78, f"which fields matter, {eq[1]}", ha="center", fontsize=9, color=colour)
        probabilities = "$P(A|q)$" if sign > 0 else "$\\hat P(A|t)$"
        axes.text(x + sign * 0.82, 1.72, probabilities, ha="left" if sign > 0 else "right", va="center", fontsize=10)
    box(axes, 4.5, 2.95, 1.3, 0.8, "$(q_s+q_A)$\n$\\cdot\\,(t_s+t_A)$", "#555555", 10.5)
    axes.text(4.5, 3.45, "score, eq. 10", ha="center", fontsize=9)
    arrow(axes, (3.56, field_level), (5.44, field_level), style="<|-|>")
    axes.text(
        4.5, 1.17, "KL divergence of\nliked items, eq. 8, 9", ha="center", va="center", fontsize=8.5, linespacing=1.4
    )
    fields = "$o_j$: the sum of an item's values in field $j$ (eq. 3);  fields matter by softmax$_j(o_j\\cdot R_j\\cdot q_s)$"
    axes.text(4.5, 0.25, f"{fields} and softmax$_j(o_j\\cdot R_j\\cdot t_s)$", ha="center", fontsize=9, color="0.25")
    return figure


def idea_hakg() -> Figure:
    """HAKG's idea: a graph in the Poincare ball, a collaborative side, and a gate that fuses both for users."""
    figure, axes = canvas(9, 4.6)
    centre, radius = np.array([2.15, 2.2]), 1.85
    axes.text(2.15, 4.35, "entity graph, in the Poincare ball", ha="center", fontsize=10, weight="bold")
    axes.add_patch(Circle(centre, radius, facecolor="#fafafa", edgecolor="0.5"))
    root, apex, other = np.array([-0.03, -0.05]), np.array([0.2, 0.16]), np.array([-0.2, -0.3])
    items = {(0.63, 0.36): apex, (0.63, 0.57): apex, (0.46, 0.53): apex, (-0.37, -0.66): other, (-0.5, -0.6): other}
    for point, colour in ((apex, RED), (other, BLUE)):
        axes.add_patch(Polygon(centre + radius * cone(point, 0.13), facecolor=f"{colour}26", linewidth=0))
        axes.plot(*zip(centre + radius * root, centre + radius * point, strict=True), color="0.6", linewidth=1)
    for point, parent in items.items():
        ends = (centre + radius * parent, centre + radius * np.array(point))
        axes.plot(*zip(*ends, strict=True), color="0.6", linewidth=1)
        axes.add_patch(Circle(ends[1], 0.075, facecolor=ORANGE, edgecolor="w", zorder=3))
    for point, colour in ((root, "0.3"), (apex, RED), (other, BLUE)):
        axes.add_patch(Circle(centre + radius * point, 0.085, facecolor=colour, edgecolor="w", zorder=3))
    axes.text(1.98, 2.26, "general", ha="right", va="center", fontsize=8, color="0.35")
    axes.text(2.44, 2.31, "attribute $e_t$", ha="left", va="center", fontsize=8.5, color=RED)
    axes.text(3.32, 2.6, "$e_i$", fontsize=10, ha="center", va="center")
    axes.text(2.1, 3.3, "its cone holds\nits items", ha="center", va="center", fontsize=8.5, color=RED)
    axes.text(2.15, 0.1, "message of an edge $(h, r, t)$:  $\\log_{e_h}(e_t\\oplus e_r)$", ha="center", fontsize=10)

    axes.text(7.6, 4.35, "collaborative side", ha="center", fontsize=10, weight="bold")
    users, liked = np.array([3.55, 2.75, 1.95]), np.array([3.75, 3.15, 2.55, 1.75])
    for u, i in ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (0, 2)):
        axes.plot((6.9, 8.3), (liked[i], users[u]), color="0.75", linewidth=1, zorder=0)
    for y in liked:
        axes.add_patch(Circle((6.9, y), 0.1, facecolor=ORANGE, edgecolor="w"))
    for y in users:
        axes.add_patch(Circle((8.3, y), 0.1, facecolor=GREEN, edgecolor="w"))
    axes.text(6.9, 3.95, "items", ha="center", fontsize=8.5)
    axes.text(8.3, 3.75, "users", ha="center", fontsize=8.5)
    axes.text(6.72, 2.6, "$c_i$", fontsize=10, ha="right", va="center")
    axes.text(8.5, 2.75, "$u$", fontsize=10, ha="left", va="center")
    axes.text(7.15, 1.32, "$c_i$: mean of its users", ha="center", fontsize=8.5, color="0.35")

    box(axes, 5.25, 2.52, 1.62, 0.95, "gate\n$g=\\sigma(W_1c_i+W_2e_i)$", PURPLE, 9)
    arrow(axes, (3.48, 2.6), (4.42, 2.6))
    arrow(axes, (6.42, 2.6), (6.08, 2.6))
    arrow(axes, (5.25, 2.03), (5.25, 1.08))
    box(axes, 5.7, 0.8, 2.5, 0.5, "$g\\odot c_i+(1-g)\\odot e_i$", PURPLE, 10.5)
    arrow(axes, (6.98, 0.8), (8.3, 1.83), connectionstyle="arc3,rad=0.3")
    axes.text(8.16, 0.74, "mean over\na user's items", ha="center", va="center", fontsize=8.5, color="0.35")
    axes.text(6.9, 0.2, "score:  $\\cos(u, e_i)+\\cos(u, c_i)$", ha="center", fontsize=10)
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
    disk_data, ablation_data = generate(DISK_DATA), generate(ABLATION_DATA)
    preference_data = generate(PREFERENCE_DATA, split="random")

    def ablated(choices: dict[str, Any]) -> Trained:
        config = dataclasses.replace(ABLATION_MODEL, **choices)
        return train(ablation_data, hkjax.hakg(config, ablation_data, 1024), 0.01, 12, SEEDS)

    # Two at a time, since compiling takes most of it.
    with ThreadPoolExecutor(2) as pool:
        ablations = {name: pool.submit(ablated, choices) for name, choices in ABLATIONS.items()}
        in_disk = pool.submit(train, disk_data, hkjax.hakg(DISK_MODEL, disk_data, 1024), 0.05, 60, [0])
        hkrm = hkjax.hkrm(hkjax.HKRMConfig(dim=32), preference_data, 256)
        explained = pool.submit(train, preference_data, hkrm, 0.01, 8, [0])
    recall = {name: future.result().recall for name, future in ablations.items()}
    return {
        "disk": lambda: disk(in_disk.result(), DISK_MODEL.aperture),
        "distance": lambda: distance(ablations["slides"].result()),
        "preference": lambda: preference(explained.result()),
        "ablation": lambda: ablation(recall, popularity_recall(ablation_data)),
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
