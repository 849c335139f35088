"""HKRM's explanations: the fields that matter to a user, and to an item (the paper's Figure 5)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.data.fields import attribute_fields
from hkjax.models.base import Insight, Picture, Recommender
from hkjax.models.hkrm.representation import HKRMRepresentation
from hkjax.transfer import to_host


class Explanation(NamedTuple):
    """An explanation of an item's score for a user.

    Attributes:
        user, item: their ids.
        label: label of the explained row; -1 where there is none.
        fields: the attribute fields' names, n.
        preference: P(A|q) of the user, float [n].
        importance: P^(A|t) of the item, float [n].
        logit: eq. 10, the model's score.
    """

    user: int
    item: int
    label: int
    fields: tuple[str, ...]
    preference: np.ndarray
    importance: np.ndarray
    logit: float

    @property
    def agreement(self) -> np.ndarray:
        """The heat map [n, n]: the outer product of preference (rows) and importance (columns)."""
        return np.outer(self.preference, self.importance)


def hkrm_insight(recommender: Recommender, representation: HKRMRepresentation, data: Dataset) -> Insight:
    """Explains a typical pair and, on generated data, counts how often the user's true field is found."""
    logits = to_host(recommender.score_pairs(representation, *map(jnp.asarray, data.test[:2])))
    pair = typical_pair(representation, data, logits)
    pictures = [] if pair is None else [preference_heat_map(pair, data)]
    history = np.bincount(data.train.positives().users, minlength=data.n_users)
    learned = mean_fields(representation, data, history)
    if data.true_field is None:
        return Insight(pictures, learned=learned)
    found = field_recovery(representation, data.true_field, history)
    return Insight(pictures, {"users_preferred_field_found": found, "by_chance": 1 / len(data.fields)}, learned)


def mean_fields(representation: HKRMRepresentation, data: Dataset, history: np.ndarray) -> list[str]:
    """Lists the fields that matter on average, to users with a history [users] and to items, as sentences."""
    preference = to_host(representation.preference)[: data.n_users][history > 0]
    importance = to_host(representation.importance)[: data.n_items]
    lines = []
    for whom, values in (("users, P(A|q)", preference), ("items, P(A|t)", importance)):
        mean, spread = values.mean(0), values.std(0)
        order = np.argsort(-mean, kind="stable")
        fields = [f"{list(data.fields)[k]} {mean[k]:.2f} ± {spread[k]:.2f}" for k in order]
        lines.append(f"what matters to {whom}, mean and spread: {', '.join(fields)}")
    return lines


def explain_pair(representation: HKRMRepresentation, data: Dataset, user: int, item: int) -> Picture:
    """Draws the heat map of one user and one item."""
    return preference_heat_map([explain(representation, data, user, item, label=-1)], data)


def explain(representation: HKRMRepresentation, data: Dataset, user: int, item: int, label: int) -> Explanation:
    """Explains one user and one item."""
    r = representation
    arrays = (r.preference[user], r.importance[item], r.bias[item], r.user[user], r.item[item])
    preference, importance, bias, user_vector, item_vector = jax.device_get(arrays)
    logit = float(user_vector @ item_vector + bias)
    return Explanation(user, item, label, tuple(data.fields), preference, importance, logit)


def typical_pair(
    representation: HKRMRepresentation, data: Dataset, logits: np.ndarray
) -> tuple[Explanation, Explanation] | None:
    """Explains a positive and a negative test item of one user.

    The user has the longest history among those with a positive item scored above 0 and a negative one below 0. If
    there is none, among those who have both. The items have the highest and the lowest score. None where no user has
    both.

    Args:
        representation: the model's, from `encode`.
        data: the data set.
        logits: the scores of the test rows, [rows].
    """
    rows = data.test
    history = np.bincount(data.train.positives().users, minlength=data.n_users)
    positive = rows.labels == 1
    for up, down in ((positive & (logits > 0), ~positive & (logits < 0)), (positive, ~positive)):
        both = np.intersect1d(rows.users[up], rows.users[down])
        if both.size:
            user = int(both[np.argmax(history[both])])
            best = _argmax(logits, (rows.users == user) & up)
            worst = _argmax(-logits, (rows.users == user) & down)
            return (
                explain(representation, data, user, int(rows.items[best]), label=1),
                explain(representation, data, user, int(rows.items[worst]), label=0),
            )
    return None


def field_recovery(representation: HKRMRepresentation, true_field: np.ndarray, history: np.ndarray) -> float:
    """Computes the fraction of users with a history whose largest preference is their true field.

    Args:
        representation: the model's, from `encode`.
        true_field: index of the preferred field, int [users].
        history: number of positive train items, int [users].
    """
    found = np.argmax(np.asarray(representation.preference)[: true_field.size], axis=1) == true_field
    return float(found[history > 0].mean())


def preference_heat_map(pair: Sequence[Explanation], data: Dataset) -> Picture:
    """Draws user preference against item attribute importance for each explanation (the paper's Figure 5).

    Colours show each product relative to that of uniform fields, 1/n^2, on a logarithmic scale.
    """
    n = len(pair[0].fields)
    reach = max(1.0, *(float(np.abs(_contrast(x)).max()) for x in pair))

    def draw(figure: Any) -> None:
        all_axes = figure.subplots(1, len(pair), squeeze=False)[0]
        for axes, explanation in zip(all_axes, pair, strict=True):
            image = _draw_heat_map(axes, explanation, data, reach)
        bar = figure.colorbar(image, ax=list(all_axes), shrink=0.8)
        bar.set_label(f"times 1/{n * n}, as powers of 2")

    return Picture("User preference against item attribute importance", "preference", (5.6 * len(pair) + 1, 5), draw)


def _contrast(explanation: Explanation) -> np.ndarray:
    """Computes log2 of the agreement relative to that of uniform fields, at least -4: [n, n]."""
    n = len(explanation.fields)
    return np.log2(np.maximum(explanation.agreement * n * n, 1 / 16))


def field_values(data: Dataset, item: int) -> dict[str, str]:
    """Returns the names of an item's values in each field, at most two."""
    fields = attribute_fields(data.triples, data.n_items, data.fields, data.names.relations)
    found: dict[str, list[str]] = {name: [] for name in fields.names}
    for row in np.flatnonzero(fields.item == item):
        found[fields.names[fields.field[row]]].append(data.names.entities[fields.entities[fields.value[row]]])
    return {name: ", ".join(values[:2]) + (", ..." if len(values) > 2 else "") for name, values in found.items()}


def _draw_heat_map(axes: Any, explanation: Explanation, data: Dataset, reach: float) -> Any:
    names, values = data.names, field_values(data, explanation.item)
    image = axes.imshow(_contrast(explanation), cmap="RdBu_r", vmin=-reach, vmax=reach)
    n = len(explanation.fields)
    columns = [
        f"{f}: {values[f][:24]}\n{p:.2f}" for f, p in zip(explanation.fields, explanation.importance, strict=True)
    ]
    rows = [f"{f}  {p:.2f}" for f, p in zip(explanation.fields, explanation.preference, strict=True)]
    axes.set_xticks(range(n), columns, fontsize=8, rotation=30)
    axes.set_yticks(range(n), rows, fontsize=8)
    for (i, j), value in np.ndenumerate(explanation.agreement):
        colour = "w" if abs(_contrast(explanation)[i, j]) > 0.6 * reach else "k"
        axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    kind = {1: "positive item", 0: "negative item"}.get(explanation.label, "item")
    axes.set(
        title=f"{kind} {names.entities[explanation.item][:40]}, score {explanation.logit:.2f}",
        xlabel="importance to the item",
        ylabel=f"preference of user {names.users[explanation.user]}",
    )
    return image


def _argmax(values: np.ndarray, where: np.ndarray) -> int:
    return int(np.argmax(np.where(where, values, -np.inf)))
