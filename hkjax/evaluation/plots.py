"""The pictures of a report, and their PNG files."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from hkjax.files import clear_errors
from hkjax.models.base import Picture

# C0 is the model or the main subject; the others are baselines and background.
_COLOURS = ("#c1432e", "#3b6ea5", "#7a9e46", "#8c6bb1", "#d08c2b")


# Tried in turn for each character, if installed.
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Hiragino Sans", "Yu Gothic")


def save_picture(picture: Picture, folder: Path) -> None:
    """Draws a picture into a PNG file of its name in the folder."""
    from cycler import cycler

    fonts = [name for name in _FONTS if name in get_font_names()]
    # Names are never formulas, even with a $; characters that no font has are drawn as boxes.
    style: dict[Any, Any] = {"axes.prop_cycle": cycler(color=_COLOURS), "text.parse_math": False, "font.family": fonts}
    with clear_errors(folder), rc_context(style), warnings.catch_warnings():
        folder.mkdir(parents=True, exist_ok=True)
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = Figure(figsize=picture.size)
        FigureCanvasAgg(figure)
        picture.draw(figure)
        figure.set_layout_engine("constrained")
        figure.savefig(folder / f"{picture.name}.png", dpi=130)


def training_curves(records: Sequence[Mapping[str, Any]], monitor: str) -> Picture:
    """Returns a picture of the train loss and the monitored validation metric against epochs."""
    epochs = [record["epoch"] for record in records]
    monitored = [record[f"validation_{monitor}"] for record in records]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        left.plot(epochs, [record["train_loss"] for record in records], marker="o", color="C1")
        left.set(xlabel="epoch", ylabel="train loss")
        right.plot(epochs, monitored, marker="o", color="C0")
        best = max(range(len(epochs)), key=monitored.__getitem__)
        right.axvline(epochs[best], color="0.7", linestyle="--", label=f"best: {monitored[best]:.4f}")
        right.set(xlabel="epoch", ylabel=f"validation {monitor}")
        right.legend(frameon=False)
        for axes in (left, right):
            axes.xaxis.get_major_locator().set_params(integer=True)

    return Picture("Training", "training", (9, 3.4), draw)


def top_k_curves(results: Mapping[str, Mapping[str, float]], ks: Sequence[int]) -> Picture:
    """Returns a picture of precision, recall and NDCG against K (Figures 3 and 4 of HKRM's paper), the model first."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, 3)
        for axes, metric in zip(panels, ("precision", "recall", "ndcg"), strict=True):
            for name, metrics in results.items():
                axes.plot(ks, [metrics[f"{metric}@{k}"] for k in ks], marker="o", label=name)
            axes.set(xscale="log", xlabel="K", ylabel=f"{metric}@K")
            axes.set_xticks(ks, [str(k) for k in ks])
            axes.minorticks_off()
        panels[0].legend(frameon=False)

    return Picture("Top-K", "top_k", (12, 3.4), draw)
