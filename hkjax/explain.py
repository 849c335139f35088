"""Explanations: which fields matter to a user, and which to an item (the paper's Figure 5)."""

from typing import NamedTuple

import jax
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.models.hkrm import HKRMRepresentation


class Explanation(NamedTuple):
    """Why a user might like an item.

    Attributes:
        user, item: their ids.
        liked: the label of the row that is explained.
        fields: the attribute fields' names, n.
        preference: P(A|q) of the user, float [n].
        importance: P^(A|t) of the item, float [n].
        logit: eq. 10, the model's score.
    """

    user: int
    item: int
    liked: bool
    fields: tuple[str, ...]
    preference: np.ndarray
    importance: np.ndarray
    logit: float

    @property
    def agreement(self) -> np.ndarray:
        """The heat map [n, n]: the outer product of preference (rows) and importance (columns)."""
        return np.outer(self.preference, self.importance)


def explain(representation: HKRMRepresentation, data: Dataset, user: int, item: int, liked: bool) -> Explanation:
    """Explains one user and one item."""
    preference, importance, bias, user_vector, item_vector = jax.device_get(
        (
            representation.preference[user],
            representation.importance[item],
            representation.bias[item],
            representation.user[user],
            representation.item[item],
        )
    )
    logit = float(user_vector @ item_vector + bias)
    return Explanation(user, item, liked, tuple(data.fields), preference, importance, logit)


def typical_pair(
    representation: HKRMRepresentation, data: Dataset, logits: np.ndarray
) -> tuple[Explanation, Explanation] | None:
    """Explains a liked and a disliked test item of one user.

    The user is the one with the longest history among those whose liked and disliked test items the
    model tells apart (score above 0 and below 0), or, if there is none, among those who have both;
    the items are those of the highest and the lowest score. None where no user has both.

    Args:
        representation: the model's, from `encode`.
        data: the data set.
        logits: the scores of the test rows.
    """
    rows, n_users = data.test, data.n_users
    history = np.bincount(data.train.positives().users, minlength=n_users)
    liked = rows.labels == 1
    for up, down in ((liked & (logits > 0), ~liked & (logits < 0)), (liked, ~liked)):
        both = np.intersect1d(rows.users[up], rows.users[down])
        if both.size:
            user = int(both[np.argmax(history[both])])
            best = _extreme(rows.users == user, up, logits)
            worst = _extreme(rows.users == user, down, -logits)
            return (
                explain(representation, data, user, int(rows.items[best]), True),
                explain(representation, data, user, int(rows.items[worst]), False),
            )
    return None


def field_recovery(representation: HKRMRepresentation, truth: np.ndarray, history: np.ndarray) -> float:
    """Share of the users with a history whose largest preference is the field that they truly prefer.

    Args:
        representation: the model's, from `encode`.
        truth: index of the preferred field, int [users].
        history: number of liked train items, int [users].
    """
    found = np.argmax(np.asarray(representation.preference)[: truth.size], axis=1) == truth
    return float(found[history > 0].mean())


def _extreme(of_user: np.ndarray, candidates: np.ndarray, values: np.ndarray) -> int:
    return int(np.argmax(np.where(of_user & candidates, values, -np.inf)))
