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
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

import hkjax
from hkjax.evaluation.ranking import rank_users
from hkjax.geometry import cones, poincare
from hkjax.models.hakg.explain import distance_by_popularity, poincare_disk
from hkjax.models.hkrm.explain import explain, preference_heat_map
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


def canvas(width: float, height: float) -> tuple[Figure, Any]:
    """A figure with one plane of its size in inches to draw on."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.axis("off")
    return figure, axes


def write(
    axes: Any, x: float, y: float, text: str, size: float, colour: str = "k", ha: str = "center", **kw: Any
) -> None:
    """Text whose middle is at y."""
    axes.text(x, y, text, fontsize=size, color=colour, ha=ha, va="center", linespacing=1.4, **kw)


def box(axes: Any, x: float, y: float, width: float, height: float, text: str, colour: str, size: float = 9.5) -> None:
    """A rounded box of pale colour with centred text; x and y are its centre."""
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner, width, height, boxstyle="round,pad=0,rounding_size=0.09", facecolor=f"{colour}22", edgecolor=colour
        )
    )
    write(axes, x, y, text, size)


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
    write(axes, x - 0.4, y - 0.01, name, 10)
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
    write(axes, 0.38, 4.35, "query: items that the user liked", 10, BLUE, ha="left", weight="bold")
    write(axes, 8.62, 4.35, "target: the item to score", 10, RED, ha="right", weight="bold")
    for y, name, missing in ((3.45, "$e_1$", ()), (2.95, "$e_2$", (2,)), (2.1, "$e_m$", (1,))):
        card(axes, 1, y, name, missing)
    write(axes, 1, 2.53, "⋮", 12)
    card(axes, 8, 2.75, "$e_t$", (3,))
    write(axes, 1, 1.55, "squares: attribute fields,\nempty without a value", 8, "0.35")

    for sign, x, colour, item, bars, eq in (
        (1, 2.75, BLUE, r"$q_s=\sum_i w_i\,e_i$", (0.58, 0.16, 0.3, 0.1), ("eq. 1, 2", "eq. 4", "eq. 6")),
        (-1, 6.25, RED, "$t_s=e_t$", (0.44, 0.2, 0.34, 0.0), ("eq. 1", "eq. 5", "eq. 7")),
    ):
        side, inward = ("q", "left") if sign > 0 else ("t", "right")
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
        write(axes, x + sign * 0.6, 2.08, f"MLP, {eq[2]}", 8, ha=inward)
        write(axes, x, item_level + 0.44, f"item level, {eq[0]}", 9, colour)
        write(axes, x, 0.82, f"which fields matter, {eq[1]}", 9, colour)
        write(axes, x + sign * 0.82, 1.72, "$P(A|q)$" if sign > 0 else r"$\hat P(A|t)$", 10, ha=inward)
    box(axes, 4.5, 2.95, 1.3, 0.8, "$(q_s+q_A)$\n" + r"$\cdot\,(t_s+t_A)$", "#555555", 10.5)
    write(axes, 4.5, 3.5, "score, eq. 10", 9)
    arrow(axes, (3.56, field_level), (5.44, field_level), style="<|-|>")
    write(axes, 4.5, 1.17, "KL divergence of\nliked items, eq. 8, 9", 8.5)
    write(axes, 4.5, 0.3, r"$o_j$: the sum of an item's values in field $j$ (eq. 3);  which fields matter: "
          r"softmax$_j(o_j\cdot R_j\cdot q_s)$ and softmax$_j(o_j\cdot R_j\cdot t_s)$", 9, "0.25")  # fmt: skip
    return figure


def idea_hakg() -> Figure:
    """HAKG's idea: a graph in the Poincare ball, a collaborative side, and a gate that fuses both for users."""
    figure, axes = canvas(9, 4.6)
    centre, radius = np.array([2.15, 2.2]), 1.85
    write(axes, 2.15, 4.4, "entity graph, in the Poincare ball", 10, weight="bold")
    axes.add_patch(Circle(centre, radius, facecolor="#fafafa", edgecolor="0.5"))
    root, apex, other = (-0.03, -0.05), (0.2, 0.16), (-0.2, -0.3)
    items = {(0.63, 0.36): apex, (0.63, 0.57): apex, (0.46, 0.53): apex, (-0.37, -0.66): other, (-0.5, -0.6): other}
    for point, parent in {apex: root, other: root, **items}.items():
        axes.plot(*zip(*(centre + radius * np.array([point, parent])), strict=True), color="0.6", linewidth=1)
    for point, colour in ((apex, RED), (other, BLUE)):
        axes.add_patch(Polygon(centre + radius * cone(np.array(point), 0.13), facecolor=f"{colour}26", linewidth=0))
    for point, colour in {root: "0.3", apex: RED, other: BLUE, **dict.fromkeys(items, ORANGE)}.items():
        axes.add_patch(Circle(centre + radius * np.array(point), 0.08, facecolor=colour, edgecolor="w", zorder=3))
    write(axes, 1.97, 2.26, "general", 8, "0.35", ha="right")
    write(axes, 2.46, 2.3, "attribute $e_t$", 8.5, RED, ha="left")
    write(axes, 3.32, 2.6, "$e_i$", 10)
    write(axes, 2.1, 3.3, "its cone holds\nits items", 8.5, RED)
    write(axes, 2.15, 0.15, r"message of an edge $(h, r, t)$:  $\log_{e_h}(e_t\oplus e_r)$", 10)

    write(axes, 7.6, 4.4, "collaborative side", 10, weight="bold")
    users, liked = (3.55, 2.75, 1.95), (3.75, 3.15, 2.55, 1.75)
    for u, i in ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (0, 2)):
        axes.plot((6.9, 8.3), (liked[i], users[u]), color="0.75", linewidth=1, zorder=0)
    for x, heights, colour in ((6.9, liked, ORANGE), (8.3, users, GREEN)):
        for y in heights:
            axes.add_patch(Circle((x, y), 0.1, facecolor=colour, edgecolor="w"))
    write(axes, 6.9, 4.0, "items", 8.5)
    write(axes, 8.3, 3.8, "users", 8.5)
    write(axes, 6.62, 2.6, "$c_i$", 10)
    write(axes, 8.55, 2.75, "$u$", 10)
    write(axes, 7.15, 1.36, "$c_i$: mean of its users", 8.5, "0.35")

    box(axes, 5.25, 2.6, 1.62, 0.95, "gate\n" + r"$g=\sigma(W_1e_i+W_2c_i)$", PURPLE, 9)
    arrow(axes, (3.48, 2.6), (4.42, 2.6))
    arrow(axes, (6.42, 2.6), (6.08, 2.6))
    arrow(axes, (5.25, 2.11), (5.25, 1.08))
    box(axes, 5.7, 0.8, 2.5, 0.5, r"$g\odot c_i+(1-g)\odot e_i$", PURPLE, 10.5)
    arrow(axes, (6.98, 0.8), (8.3, 1.83), connectionstyle="arc3,rad=0.3")
    write(axes, 8.2, 0.74, "mean over\na user's items", 8.5, "0.35")
    write(axes, 6.4, 0.22, r"score:  $\cos(u, e_i)+\cos(u, c_i)$", 10)
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
