"""HKRM against a reading of its equations row by row in NumPy, and its laws."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from hkjax.data.batching import get_batch, ragged_layout
from hkjax.data.fields import attribute_fields
from hkjax.errors import InputError
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm

VARIANTS = [
    {},
    {"relation": "full"},
    {"pooling": "joint"},
    {"query_weight": "interaction"},
    {"query_weight": "uniform"},
    {"missing_fields": "zero_logit"},
    {"missing_fields": "zero_logit", "pooling": "joint"},
    {"leave_one_out": False},
    {"divergence": "cross_entropy"},
    {"levels": "item"},
    {"levels": "attribute"},
    {"divergence_weight": 0.0},
    {"item_bias": True},
]


def config(**choices):
    return HKRMConfig(**{"dim": 6, "l2": 1e-3, **choices})


def random_params(recommender, seed=0):
    """Parameters large enough that every term of the loss matters."""
    shapes = jax.eval_shape(recommender.init, jax.random.key(0))
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape)), shapes)


class Oracle:
    """Equations 1 to 13, one row at a time."""

    def __init__(self, choices, data, params):
        self.c, self.data = choices, data
        self.p = jax.tree.map(np.asarray, params["params"])
        self.fields = attribute_fields(data.triples, data.n_items, data.fields, data.names.relations)
        self.n = len(self.fields.names)
        liked = data.train.positives()
        order = np.argsort(liked.users, kind="stable")
        self.history_user, self.history_item = liked.users[order], liked.items[order]

    def values(self, item):
        o, present = np.zeros((self.n, self.c.dim)), np.zeros(self.n, bool)
        for i, j, value in zip(self.fields.item, self.fields.field, self.fields.value, strict=True):
            if i == item:
                o[j] += self.p["entity"][value]
                present[j] = True
        return o, present | (self.c.missing_fields == "zero_logit")

    def logits(self, item, vector):
        o, present = self.values(item)
        r = self.p["relation"]
        r = np.stack([np.diag(v) for v in r]) if r.ndim == 2 else r
        return np.array([o[j] @ r[j] @ vector for j in range(self.n)]), present

    def softmax(self, logits, present):
        if not present.any():
            return np.full(len(logits), 1 / len(logits))
        weights = np.where(present, np.exp(logits), 0)
        return weights / weights.sum()

    def query(self, user, left_out):
        places = np.flatnonzero((self.history_user == user) & (self.history_item != left_out))
        m = len(places)
        if m == 0:
            return self.p["empty_query"], np.full(self.n, 1 / self.n)
        items = self.history_item[places]
        rows = {"item": items, "interaction": places}.get(self.c.query_weight)
        p = np.zeros(m) if rows is None else self.p["query_weight"][rows]
        w = np.exp(p / m) / np.exp(p / m).sum()
        vector = (w[:, None] * self.p["entity"][items]).sum(0)
        pairs = [self.logits(i, vector) for i in items]
        if self.c.pooling == "mean":
            return vector, np.mean([self.softmax(*pair) for pair in pairs], axis=0)
        joint = sum(np.where(present, np.exp(logits), 0) for logits, present in pairs)
        return vector, joint / joint.sum() if joint.sum() else np.full(self.n, 1 / self.n)

    def mlp(self, x):
        hidden = np.tanh(x @ self.p["hidden"]["kernel"] + self.p["hidden"]["bias"])
        return hidden @ self.p["output"]["kernel"] + self.p["output"]["bias"]

    def row(self, user, item, label, training):
        left_out = item if training and self.c.leave_one_out else -1
        q_s, preference = self.query(user, left_out)
        t_s, (logits, present) = self.p["entity"][item], self.logits(item, self.p["entity"][item])
        importance = self.softmax(logits, present)
        rel = 0.0
        if self.c.levels in ("both", "item"):
            rel += q_s @ t_s
        if self.c.levels in ("both", "attribute"):
            q_a, t_a = self.mlp(preference), self.mlp(importance)
            rel += q_a @ t_a
        if self.c.levels == "both":
            rel += q_s @ t_a + q_a @ t_s
        rel += self.p["bias"][item] if self.c.item_bias else 0
        inside = np.where(present, preference, 0)
        if self.c.divergence == "kl":
            inside = inside / inside.sum() if inside.sum() > 0 else inside
            divergence = sum(a * np.log(a / b) for a, b in zip(inside, importance, strict=True) if a > 0)
        else:
            divergence = -sum(a * np.log(b) for a, b in zip(inside, importance, strict=True) if a > 0)
        entropy = np.log1p(np.exp(-rel)) if label else np.log1p(np.exp(rel))
        return rel, entropy, label * divergence


@pytest.mark.parametrize("choices", VARIANTS, ids=str)
def test_loss_and_scores_are_those_of_the_equations(tiny_data, choices):
    choices = config(**choices)
    with jax.enable_x64(True):
        recommender = hkrm(choices, tiny_data, batch_size=50)
        params = random_params(recommender)
        oracle = Oracle(choices, tiny_data, params)
        batches = recommender.batches
        batch = get_batch(batches, batches.buckets, 1)
        value, metrics = jax.jit(recommender.loss)(params, recommender.inputs, batch, jax.random.key(0))
        examples = zip(*(np.asarray(batch[k]) for k in ("user", "item", "label")), strict=True)
        rows = np.array([oracle.row(*row, training=True) for row in examples]) * np.asarray(batch["weight"])[:, None]
        norm = sum((table**2).sum() for name, table in oracle.p.items() if name in ("entity", "relation", "bias"))
        _, entropy, divergence = rows.sum(0) / len(rows)
        np.testing.assert_allclose(metrics["cross_entropy"], entropy, rtol=1e-10)
        np.testing.assert_allclose(metrics["divergence"], divergence, rtol=1e-10, atol=1e-14)
        expected = entropy + choices.divergence_weight * divergence + choices.l2 * norm
        np.testing.assert_allclose(value, expected, rtol=1e-10)

        representation = jax.jit(recommender.encode)(params, recommender.inputs)
        test = tiny_data.test.select(np.arange(40))
        scores = recommender.score(representation, test.users, test.items)
        np.testing.assert_allclose(representation.preference.sum(-1), 1, rtol=1e-12)
        np.testing.assert_allclose(representation.importance.sum(-1), 1, rtol=1e-12)
        expected = [oracle.row(*row, training=False)[0] for row in zip(*test, strict=True)]
        np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)


# Every alternative once, several at a time.
@pytest.mark.parametrize(
    "choices",
    [
        {"item_bias": True},
        {"relation": "full", "pooling": "joint", "query_weight": "interaction"},
        {"missing_fields": "zero_logit", "divergence": "cross_entropy", "query_weight": "uniform"},
        {"leave_one_out": False, "levels": "attribute"},
    ],
    ids=str,
)
def test_gradients_of_the_whole_loss_are_true(tiny_data, choices):
    with jax.enable_x64(True):
        recommender = hkrm(config(**choices), tiny_data, batch_size=16)
        batch = get_batch(recommender.batches, recommender.batches.buckets, 7)

        @jax.jit
        def loss(params):
            return recommender.loss(params, recommender.inputs, batch, jax.random.key(0))[0]

        check_grads(loss, (random_params(recommender),), order=1, rtol=1e-6)


def test_with_leave_one_out_a_training_pair_does_not_depend_on_its_own_row(tiny_data):
    """The score of a pair in training is the same whether or not the target is in the history."""
    liked = tiny_data.train.positives()
    user, item = int(liked.users[3]), int(liked.items[3])
    without = ~((tiny_data.train.users == user) & (tiny_data.train.items == item))
    shorter = dataclasses.replace(tiny_data, train=tiny_data.train.select(without))
    metrics = []
    for data in (tiny_data, shorter):
        recommender = hkrm(config(), data, batch_size=16)
        length = recommender.inputs.length[user : user + 1]
        batch = {
            name: jnp.array([value]) for name, value in {"user": user, "item": item, "label": 1, "weight": 1.0}.items()
        }
        batch |= ragged_layout(np.asarray(length))
        params = random_params(recommender)
        metrics.append(jax.jit(recommender.loss)(params, recommender.inputs, batch, jax.random.key(0))[1])
    assert recommender.inputs.length[user] == length[0] == hkrm(config(), tiny_data, 16).inputs.length[user] - 1
    np.testing.assert_allclose(metrics[0]["cross_entropy"], metrics[1]["cross_entropy"], rtol=1e-6)
    np.testing.assert_allclose(metrics[0]["divergence"], metrics[1]["divergence"], rtol=1e-5)


def test_without_leave_one_out_it_does(tiny_data):
    recommender = hkrm(config(leave_one_out=False), tiny_data, batch_size=16)
    strict = hkrm(config(), tiny_data, batch_size=16)
    params = random_params(recommender)
    batch = get_batch(recommender.batches, recommender.batches.buckets, 3)
    leaky, fair = (jax.jit(r.loss)(params, r.inputs, batch, jax.random.key(0))[0] for r in (recommender, strict))
    assert leaky != fair


def test_items_without_triples_are_important_uniformly_and_users_without_likes_prefer_uniformly(tiny_data):
    recommender = hkrm(config(), tiny_data, batch_size=16)
    bare_item = int(np.flatnonzero(~np.asarray(recommender.inputs.present).any(axis=1))[0])
    bare_user = int(np.flatnonzero(np.asarray(recommender.inputs.length) == 0)[0])
    representation = jax.jit(recommender.encode)(random_params(recommender), recommender.inputs)
    np.testing.assert_allclose(representation.importance[bare_item], 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(representation.preference[bare_user], 1 / 3, rtol=1e-6)


@pytest.fixture(scope="module")
def encode(tiny_data):
    """data -> representation of fixed parameters, compiled once for histories of the same lengths."""
    recommender = hkrm(config(), tiny_data, batch_size=16)
    params, compiled = random_params(recommender), jax.jit(recommender.encode)
    return lambda data: compiled(params, hkrm(config(), data, batch_size=16).inputs)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_order_of_a_history_does_not_matter(encode, tiny_data, seed):
    order = np.random.default_rng(seed).permutation(tiny_data.train.users.size)
    a, b = encode(tiny_data), encode(dataclasses.replace(tiny_data, train=tiny_data.train.select(order)))
    np.testing.assert_allclose(a.user, b.user, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(a.preference, b.preference, rtol=1e-4, atol=1e-6)


def test_one_label_alone_is_refused(tiny_data):
    only = dataclasses.replace(tiny_data, train=tiny_data.train.positives())
    with pytest.raises(InputError, match="rows of both labels"):
        hkrm(config(), only, batch_size=16)
