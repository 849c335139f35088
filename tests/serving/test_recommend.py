"""Recommendations: the best unseen items by name, and reasons that name what the user liked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.data import blocks
from hkjax.data.config import DataConfig
from hkjax.data.read import dataset_from_tables
from hkjax.errors import InputError
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.models.popularity import popularity
from hkjax.serving.contributions import history_contributions, item_facts
from hkjax.serving.reasons import explain_pairs, reason_rows
from hkjax.serving.recommend import recommend, recommend_like, similar
from hkjax.serving.trained import load_model, user_histories


@pytest.fixture(scope="module")
def model(tiny_data):
    recommender = lightgcn(LightGCNConfig(dim=4, layers=1), tiny_data, batch_size=32)
    return load_model(tiny_data, recommender, jax.jit(recommender.init)(jax.random.key(0)))


def by_hand(model, user, allowed=None, seen=True, k=5):
    """The best items of one user, by sorting all scores."""
    data = model.data
    scores = np.array(model.recommender.score_all_items(model.representation, jnp.array([user])))[0]
    met = data.seen()
    if seen:
        scores[met.items[met.users == user]] = -np.inf
    if allowed is not None:
        scores[[i for i in range(data.n_items) if i not in allowed]] = -np.inf
    order = np.argsort(-scores, kind="stable")[:k]
    return [data.names.items[i] for i in order if np.isfinite(scores[i])]


def test_the_best_unseen_items_of_many_users_in_blocks(model, monkeypatch):
    monkeypatch.setattr(blocks, "_SCORES_PER_BLOCK", 7 * model.data.n_items)
    done = []
    table = recommend(model, model.data.names.users, top_k=5, reasons=False, progress=done.append)
    found = table.to_pylist()
    for user in (0, 6, 7, model.data.n_users - 1):
        rows = [row for row in found if row["user"] == model.data.names.users[user]]
        assert [row["item"] for row in rows] == by_hand(model, user)
        assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert done[-1] == model.data.n_users


def test_candidates_exclusions_and_seen_items(model):
    names = model.data.names.items
    found = recommend(model, ["3"], 5, candidates=names[:9], exclude=names[2:4], reasons=False)["item"].to_pylist()
    assert found == by_hand(model, 3, allowed={0, 1, 4, 5, 6, 7, 8})
    found = recommend(model, ["3"], 5, include_seen=True, reasons=False)["item"].to_pylist()
    assert found == by_hand(model, 3, seen=False)


def test_users_keep_their_order_and_unknown_ones_get_what_is_popular(model):
    table = recommend(model, ["5", "nobody", "2"], top_k=2)
    assert table["user"].to_pylist() == ["5", "5", "nobody", "nobody", "2", "2"]
    counts = np.bincount(model.data.seen().items, minlength=model.data.n_items)
    best = [counts[model.data.names.items.index(item)] for item in table["item"].to_pylist()[2:4]]
    assert best == sorted(counts)[:-3:-1]
    assert table["score"].to_pylist()[2:4] == [None, None]
    assert "the user is unknown" in table["because"][2].as_py()
    with pytest.raises(InputError, match="unknown item 'no'"):
        recommend(model, ["5"], exclude=["no"])


def test_a_new_person_gets_what_fold_in_says(model):
    liked = model.data.names.items[:3]
    table = recommend_like(model, liked, top_k=4)
    assert not {*liked} & {*table["item"].to_pylist()}
    assert similar(model, liked[0], top_k=2)["user"].to_pylist() == [liked[0]] * 2
    simple = popularity(model.data)
    with pytest.raises(InputError, match="can't recommend to users"):
        recommend_like(load_model(model.data, simple, simple.init(jax.random.key(0))), liked)


@pytest.fixture(scope="module")
def films():
    users = np.repeat(["ann", "bob", "cyd"], 4)
    items = ["a", "b", "c", "d", "b", "c", "e", "f", "a", "d", "e", "f"]
    table = {
        "id": list("abcdefg"),
        "title": [f"Film {k}" for k in "ABCDEFG"],
        "genre": list("xxyyzyx"),
    }
    data = dataset_from_tables({"user": users, "item": items}, table, config=DataConfig("tables", ratios=(8, 2, 2)))
    recommender = lightgcn(LightGCNConfig(dim=4, layers=2), data, batch_size=4)
    return load_model(data, recommender, jax.jit(recommender.init)(jax.random.key(1)))


def test_contributions_are_what_the_score_loses_to_first_order(films):
    with jax.enable_x64(True):
        recommender = films.recommender
        params = jax.tree.map(lambda x: x.astype(jnp.float64), films.params)
        model = load_model(films.data, recommender, params)
        prepared = recommender.fold_in.prepare(params, recommender.inputs)
        histories = user_histories(films.data)
        users, items = np.arange(3), np.array([6, 6, 1])
        found = history_contributions(recommender, prepared, model.representation, users, items, histories)

        @jax.jit
        def score(user, item, history, weight):
            embedding = recommender.fold_in.encode_users(prepared, model.representation, history, weight, user[None])
            return recommender.score_pairs(embedding, jnp.zeros(1, int), item[None])[0]

        for k, (user, item) in enumerate(zip(users, items, strict=True)):
            history, h = np.asarray(histories[user])[None], 1e-6
            for j in range(history.shape[1]):
                changed = [
                    score(user, item, history, np.ones(history.shape) + step * (np.arange(history.shape[1]) == j))
                    for step in (h, -h)
                ]
                np.testing.assert_allclose(found[k][j], (changed[0] - changed[1]) / (2 * h), rtol=1e-4, atol=1e-7)


def test_reasons_name_history_items_and_rows_say_the_same(films):
    histories = user_histories(films.data)
    reasons = explain_pairs(films, np.array([0]), np.array([6]), [histories[0]])
    named = {films.data.names.entities[k] for k in reasons[0].history}
    assert named <= {films.data.names.entities[k] for k in histories[0]}
    assert (np.diff(reasons[0].contributions) <= 0).all()
    rows = reason_rows(films.data, [0], [6], reasons).to_pylist()
    assert [row["name"] for row in rows if row["kind"] == "history"] == [
        films.data.names.entities[k] for k in reasons[0].history
    ]
    assert {row["user"] for row in rows} == {"ann"}


def test_shared_attributes_are_named(films):
    recommender = hkrm(HKRMConfig(dim=4), _with_negatives(films.data), batch_size=4)
    model = load_model(films.data, recommender, jax.jit(recommender.init)(jax.random.key(0)))
    histories = user_histories(films.data)
    (reason,) = explain_pairs(model, np.array([0]), np.array([6]), [histories[0]])
    genres = {"Film A": "x", "Film B": "x", "Film C": "y", "Film D": "y"}
    sharing = [films.data.names.entities[k] for k in reason.history if genres[films.data.names.entities[k]] == "x"]
    assert [films.data.names.entities[fact.entity] for fact in reason.facts] == (["x"] if sharing else [])
    assert all(f"genre x, as {sharing[0]}" in reason.sentence for _ in sharing)
    entities, relations = item_facts(films.data).of(6)
    assert (relations.tolist(), [films.data.names.entities[e] for e in entities]) == ([0], ["x"])


def _with_negatives(data):
    from hkjax.data.negatives import draw_negatives

    return draw_negatives(data, seed=0)
