"""Reasons for a model's scores, in sentences: the history items and attributes that contribute most.

benchmarks/faithfulness.py measures their effect by deleting them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa

from hkjax.data.blocks import group_by
from hkjax.data.dataset import Dataset
from hkjax.serving.contributions import attribute_contributions, history_contributions, item_facts
from hkjax.serving.trained import TrainedModel
from hkjax.transfer import to_host

_N_NAMED = 3
# An attribute of more than this share of the items is no reason for one.
_COMMON = 0.5


class Fact(NamedTuple):
    """An attribute of an item that items of the history share.

    Attributes:
        relation: n_relations + r is relation r in reverse.
        entity: the attribute.
        shared_by: the named history items that also have it.
        contribution: to the score, in the model's own measure.
    """

    relation: int
    entity: int
    shared_by: list[int]
    contribution: float


class Reason(NamedTuple):
    """Reasons for one item's score for one user; at most three of each kind, strongest first.

    Attributes:
        history: indices of history items.
        contributions: theirs, in units of the score.
        facts: the attributes that the item shares with them.
        sentence: the reasons as text.
    """

    history: np.ndarray
    contributions: np.ndarray
    facts: list[Fact]
    sentence: str


def explain_pairs(
    model: TrainedModel,
    users: np.ndarray | None,
    items: np.ndarray,
    histories: Sequence[np.ndarray],
    prepared: Any = None,
) -> list[Reason]:
    """Explains the model's scores of items.

    Args:
        model: the result of `load_model`; its recommender has `fold_in`.
        users: indices of the users [P]; None for a new person: all pairs then share one history.
        items: indices of the items [P].
        histories: the positive train items of each pair's user.
        prepared: the result of `FoldIn.prepare`, if there is one.
    """
    r = model.recommender
    assert r.fold_in is not None
    if prepared is None:
        prepared = jax.jit(r.fold_in.prepare)(model.params, r.inputs)
    spoken = history_contributions(r, prepared, model.representation, users, items, histories)
    best = [np.argsort(-x, kind="stable")[:_N_NAMED] for x in spoken]
    named = [history[k] for history, k in zip(histories, best, strict=True)]
    facts = _shared_facts(model, prepared, users, items, named, histories)
    contributions = [x[k] for x, k in zip(spoken, best, strict=True)]
    sentences = _sentences(model.data, items, named, contributions, facts)
    return [Reason(*reason) for reason in zip(named, contributions, facts, sentences, strict=True)]


def reason_rows(data: Dataset, users: Sequence[int], items: Sequence[int], reasons: Sequence[Reason]) -> pa.Table:
    """Converts reasons to a table, one row per reason.

    Returns:
        Columns user, item (ids), kind (`history` or `attribute`), relation (empty for `history`), name (of the
        history item or attribute), contribution.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("user", "item", "kind", "relation", "name", "contribution")}
    names = data.names
    for user, item, reason in zip(users, items, reasons, strict=True):
        of_history = [("history", "", names.entities[k], x) for k, x in zip(*reason[:2], strict=True)]
        of_facts = [
            ("attribute", names.relations[f.relation % data.n_relations], names.entities[f.entity], f.contribution)
            for f in reason.facts
        ]
        for row in (*of_history, *of_facts):
            for column, value in zip(columns.values(), (names.users[user], names.items[item], *row), strict=True):
                column.append(value)
    texts = {name: pa.array(column, pa.string()) for name, column in list(columns.items())[:-1]}
    return pa.table({**texts, "contribution": pa.array(columns["contribution"], pa.float32())})


def co_user_rows(model: TrainedModel, user: int, item: int) -> pa.Table:
    """Returns the other users of an item who contribute most to its score for a user, as rows of `reason_rows`.

    They serve to inspect the model, and are in no sentence. No rows if the model does not define them.
    """
    r, names = model.recommender, model.data.names
    best: list[tuple[str, float]] = []
    if r.fold_in is not None and r.fold_in.score_co_users is not None:
        arguments = (model.params, r.inputs, model.representation, jnp.asarray(user), jnp.asarray(item))
        found = np.array(to_host(jax.jit(r.fold_in.score_co_users)(*arguments)))
        found[user] = 0
        order = np.argsort(-found, kind="stable")[:_N_NAMED]
        best = [(names.users[k], float(found[k])) for k in order if found[k] > 0]
    texts = {
        "user": [names.users[user]] * len(best),
        "item": [names.items[item]] * len(best),
        "kind": ["co-user"] * len(best),
        "relation": [""] * len(best),
        "name": [name for name, _ in best],
    }
    columns = {name: pa.array(column, pa.string()) for name, column in texts.items()}
    return pa.table({**columns, "contribution": pa.array([value for _, value in best], pa.float32())})


def _shared_facts(
    model: TrainedModel,
    prepared: Any,
    users: np.ndarray | None,
    items: np.ndarray,
    named: Sequence[np.ndarray],
    histories: Sequence[np.ndarray],
) -> list[list[Fact]]:
    """Returns the contributing facts that each item shares with the named history items, strongest first."""
    data, fold_in = model.data, model.recommender.fold_in
    if fold_in is None or fold_in.score_attributes is None or not len(data.triples):
        return [[] for _ in items]
    representation = model.representation
    if users is None:
        row = jnp.asarray(histories[0])[None]
        representation = fold_in.encode_users(prepared, representation, row, jnp.ones(row.shape), None)
        users = np.zeros(len(items), np.int64)
    facts, results = item_facts(data), []
    owners = np.repeat(np.arange(data.n_items), facts.length).astype(np.int64)
    distinct = np.unique(owners * data.n_entities + facts.values) % data.n_entities
    common = np.bincount(distinct, minlength=data.n_entities) > _COMMON * data.n_items
    for item, others, weights in zip(
        items, named, attribute_contributions(fold_in, prepared, representation, users, items, facts), strict=True
    ):
        sharing: dict[tuple[int, ...], list[int]] = {}
        for other in others.tolist():
            for fact in zip(*map(np.ndarray.tolist, facts.of(other)), strict=True):
                sharing.setdefault(fact, []).append(other)
        own = zip(*map(np.ndarray.tolist, facts.of(item)), weights.tolist(), strict=True)
        shared = [
            Fact(r, e, sharing[e, r], weight)
            for e, r, weight in own
            if weight > 0 and not common[e] and (e, r) in sharing
        ]
        best = sorted(shared, key=lambda fact: fact.contribution)
        # A relation and its inverse may state the same of an entity.
        of_entity = {fact.entity: fact for fact in best}
        results.append(sorted(of_entity.values(), key=lambda fact: -fact.contribution)[:_N_NAMED])
    return results


def _sentences(
    data: Dataset,
    items: np.ndarray,
    named: Sequence[np.ndarray],
    contributions: Sequence[np.ndarray],
    facts: Sequence[Sequence[Fact]],
) -> list[str]:
    """Writes sentences such as: author Ann Lee, as The Sea and The Hill; 12 of 40 who liked The Moor also liked it."""
    entities, relations = data.names.entities, data.names.relations
    positives = data.train.positives()
    audience = group_by(positives.users, positives.items, data.n_items)
    sentences = []
    for item, history, weights, shared in zip(items, named, contributions, facts, strict=True):
        parts, told = [], set()
        for fact in shared:
            relation = relations[fact.relation % data.n_relations]
            parts.append(f"{relation} {entities[fact.entity]}, as {_and(_quoted(entities[j]) for j in fact.shared_by)}")
            told.update(fact.shared_by)
        for other, weight in zip(history.tolist(), weights, strict=True):
            if other not in told and (weight > 0 or len(history) == 1):
                both = len(np.intersect1d(audience[other], audience[item], assume_unique=True))
                liked = f"{both} of {len(audience[other])} who liked {_quoted(entities[other])} also liked it"
                parts.append(liked if both else f"close to {_quoted(entities[other])}")
        sentences.append("; ".join(parts) or ("close to the whole history" if len(history) else "popular"))
    return sentences


def _quoted(name: str) -> str:
    """Returns the name, in quotes if it holds a separator."""
    return f"'{name}'" if "," in name or ";" in name else name


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
