"""The diagrams of both papers' ideas, drawn of boxes, arrows and text."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from hkjax.geometry import cones, poincare

RED, BLUE, GREEN, PURPLE, ORANGE = COLOURS = ("#c1432e", "#3b6ea5", "#7a9e46", "#8c6bb1", "#d08c2b")
FIELDS = (GREEN, PURPLE, ORANGE, "#4aa3a2")


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
