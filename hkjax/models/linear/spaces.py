"""Values to choose among on the validation part, for each key of a linear model; a search goes by steps of one."""

from hkjax.data.dataset import Dataset
from hkjax.models.linear.config import EASEConfig
from hkjax.models.linear.ease import MOST_FOR_DENSE

# Of a search where a person's tables are trained on.
SECONDS = 60.0

Space = dict[str, tuple[float | int, ...]]

ITEM_KNN: Space = {
    "shrinkage": (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
    "alpha": (0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0),
    "user_power": (0.0, 0.25, 0.5, 0.75, 1.0),
    "neighbours": (50, 100, 200, 500, 1000),
}
RP3BETA: Space = {
    "beta": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
    "alpha": (0.4, 0.55, 0.7, 0.85, 1.0, 1.2),
    "neighbours": (50, 100, 200, 500, 1000),
}
EASE: Space = {
    "l2": (0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0),
    "user_power": (0.0, 0.125, 0.25, 0.375, 0.5),
    "item_power": (0.0, 0.1, 0.2, 0.3),
    "target_power": (0.0, 0.1, 0.2, 0.3),
}
EDLAE: Space = {"l2": EASE["l2"], "dropout": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), **EASE}
SLIM: Space = {
    "l2": (0.1, 0.3, 1.0, 3.0, 10.0),
    "l1": (0.0, 0.01, 0.03, 0.1, 0.3),
    "user_power": (0.0, 0.125, 0.25, 0.375, 0.5),
}
IALS: Space = {
    "alpha": (1.0, 3.0, 10.0, 30.0, 100.0),
    "l2": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    "dim": (32, 64, 128, 256),
}


def choose_candidates(config: EASEConfig, data: Dataset) -> dict[str, float]:
    """Chooses a search, and EASE's local form where both users and items are too many for a dense matrix."""
    local = {"model.candidates": 100} if min(data.n_users, data.n_items) > MOST_FOR_DENSE else {}
    return {"model.search": SECONDS, **local}
