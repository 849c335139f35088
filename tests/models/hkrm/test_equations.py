"""The paper's equations: laws, hand-worked values, and the model that trains against them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkjax.data.batching import get_batch
from hkjax.data.fields import attribute_fields
from hkjax.models.hkrm import equations as q
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.equations import cross_entropy, kl_divergence
from hkjax.models.hkrm.model import hkrm
from hkjax.models.hkrm.parameters import HKRM
from hkjax.models.hkrm.softmax import proximity_log_softmax, proximity_softmax
from tests.models.hkrm.variants import VARIANTS, random_params

logits = st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4).map(np.array)
masks = st.lists(st.booleans(), min_size=4, max_size=4).map(np.array)


@given(logits, masks, st.floats(-100, 100))
def test_proximity_softmax_is_a_distribution_over_the_unmasked_fields(x, field_mask, shift):
    with jax.enable_x64(True):
        p = proximity_softmax(jnp.asarray(x), field_mask)
        np.testing.assert_allclose(p.sum(), 1, rtol=1e-12)
        np.testing.assert_allclose(proximity_softmax(jnp.asarray(x + shift), field_mask), p, atol=1e-9)
        if field_mask.any():
            assert (p[~field_mask] == 0).all()
            changed = jnp.where(field_mask, x, 3.0)
            np.testing.assert_array_equal(proximity_softmax(changed, field_mask), p)


@given(logits, logits, masks)
def test_kl_is_non_negative_and_zero_at_equality_alone(x, y, field_mask):
    with jax.enable_x64(True):
        p, log_q = proximity_softmax(jnp.asarray(x), field_mask), proximity_log_softmax(jnp.asarray(y), field_mask)
        apart = jnp.sum(jnp.abs(p - jnp.exp(log_q)), where=field_mask)
        # Pinsker's inequality: more than 0 wherever the two differ.
        assert kl_divergence(p, log_q, field_mask) >= apart**2 / 2 - 1e-10
        equal = kl_divergence(p, proximity_log_softmax(jnp.asarray(x), field_mask), field_mask)
        np.testing.assert_allclose(equal, 0, atol=1e-10)


def test_kl_of_unequal_distributions_is_that_of_hand():
    p, q = jnp.array([0.5, 0.25, 0.25]), jnp.array([0.25, 0.5, 0.25])
    everything, two = jnp.array([True] * 3), jnp.array([True, True, False])
    np.testing.assert_allclose(kl_divergence(p, jnp.log(q), everything), 0.25 * np.log(2), rtol=1e-6)
    # Conditioned to two fields: (2/3, 1/3) against (1/3, 2/3).
    log_q = jnp.log(jnp.array([1 / 3, 2 / 3, 1.0]))
    np.testing.assert_allclose(kl_divergence(p, log_q, two), np.log(2) / 3, rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(p, jnp.log(q), everything), 1.75 * np.log(2), rtol=1e-6)


def test_the_divergence_is_finite_for_logits_that_underflow():
    x, field_mask = jnp.array([0.0, 500.0, -500.0]), jnp.ones(3, bool)
    p = jnp.array([0.2, 0.3, 0.5])
    gradient = jax.grad(lambda x: kl_divergence(p, proximity_log_softmax(x, field_mask), field_mask))(x)
    assert jnp.isfinite(gradient).all()


def module_of(config, data):
    fields = attribute_fields(data.triples, data.n_items, data.fields, data.names.relations)
    return HKRM(config, data.n_items, len(fields.names), len(fields.entities), data.train.positives().users.size)


def loss_by_equations(config, data, p, batch):
    """Eq. 13 of a batch, row by row, from the functions of `equations.py` only."""
    fields = attribute_fields(data.triples, data.n_items, data.fields, data.names.relations)
    n, positives = len(fields.names), data.train.positives()
    order = np.argsort(positives.users, kind="stable")
    rows = []

    def fields_of(item):
        at = np.flatnonzero(fields.item == item)
        o = q.field_vectors(p.entity[fields.value[at]], jnp.asarray(fields.field[at]), n)
        has = np.isin(np.arange(n), fields.field[at]) | (config.missing_fields == "zero_logit")
        return o, jnp.asarray(has)

    for user, item, label in zip(*(np.asarray(batch[name]) for name in ("user", "item", "label")), strict=True):
        in_history = positives.users[order] == user
        if config.leave_one_out:
            in_history &= positives.items[order] != item
        at = np.flatnonzero(in_history)
        history = positives.items[order][at]
        t_s, (o_t, has_t) = p.entity[item], fields_of(item)
        logits_t = q.proximity_logits(o_t, p.relation, t_s)
        importance = q.importance(logits_t, has_t)
        if len(history):
            learned = {"item": history, "interaction": at}.get(config.query_weight)
            learned = jnp.zeros(len(history)) if learned is None else p.query_weight[learned]
            q_s = q.query_vector(q.item_weights(learned), p.entity[history])
            o, has = (jnp.stack(x) for x in zip(*map(fields_of, history), strict=True))
            logits = jax.vmap(q.proximity_logits, (0, None, None))(o, p.relation, q_s)
            preference = q.preference(logits, has, pooling=config.pooling)
        else:
            q_s, preference = p.empty_query, jnp.full(n, 1 / n)
        q_A, t_A = (q.attribute_level(P, *p.hidden, *p.output) for P in (preference, importance))
        nothing = jnp.zeros_like(q_s)
        if config.levels == "item":
            q_A = t_A = nothing
        if config.levels == "attribute":
            q_s = t_s = nothing
        rel = q.relevance(q_s, q_A, t_s, t_A) + p.bias[item]
        divergence = q.kl_divergence if config.divergence == "kl" else q.cross_entropy
        L_a = q.attribute_loss(label, divergence(preference, proximity_log_softmax(logits_t, has_t), has_t))
        rows.append((q.recommendation_loss(label, rel), L_a))
    L_r, L_a = (jnp.mean(batch["weight"] * jnp.stack(x)) for x in zip(*rows, strict=True))
    return q.total_loss(L_r, L_a, p.entity, p.relation, config.divergence_weight, config.l2)


@pytest.mark.parametrize("choices", VARIANTS, ids=str)
def test_what_trains_is_the_equations_in_values_and_gradients(choices, tiny_data):
    config = HKRMConfig(**{"dim": 4, "l2": 1e-3, **choices})
    with jax.enable_x64(True):
        model = hkrm(config, tiny_data, batch_size=8)
        batch = get_batch(model.batches, model.batches.buckets, 1)
        params, unpack = random_params(model), module_of(config, tiny_data).apply

        def by_equations(params):
            p = unpack(params)
            # The model's l2 also holds the item biases, which the paper does not have.
            return loss_by_equations(config, tiny_data, p, batch) + config.l2 * jnp.sum(p.bias**2)

        def by_model(params):
            return model.loss(params, model.inputs, batch, jax.random.key(0))[0]

        expected, found = (jax.jit(jax.value_and_grad(f))(params) for f in (by_equations, by_model))
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-13), found, expected)


def test_eq_11_and_12_are_a_probability_and_its_cross_entropy():
    rel, y = jnp.array([-800.0, -1.0, 0.0, 2.0, 800.0]), jnp.array([0.0, 1.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(q.probability(rel)[1:4], 1 / (1 + np.exp([1.0, 0.0, -2.0])), rtol=1e-6)
    loss = q.recommendation_loss(y, rel)
    np.testing.assert_allclose(loss, [0, np.log1p(np.e), np.log(2), np.log1p(np.exp(2.0)), 0], rtol=1e-6, atol=1e-30)


def test_counts_leave_items_out_and_repeat_them():
    p, e = jnp.array([0.3, -1.0, 0.7]), jnp.arange(6.0).reshape(3, 2)
    twice = q.item_weights(jnp.array([0.3, 0.7, 0.7]))
    counted = q.item_weights(p, jnp.array([1.0, 0.0, 2.0]))
    np.testing.assert_allclose(counted, [twice[0], 0, 2 * twice[1]], rtol=1e-6)
    assert (q.item_weights(p, jnp.zeros(3)) == 0).all()
    logits, has = jnp.arange(6.0).reshape(3, 2), jnp.array([[True, True], [True, False], [False, False]])
    for pooling in ("mean", "joint"):
        without = q.preference(logits[:1], has[:1], pooling=pooling)
        np.testing.assert_allclose(q.preference(logits, has, jnp.array([1.0, 0, 0]), pooling), without, rtol=1e-6)
        np.testing.assert_array_equal(q.preference(logits, has, jnp.zeros(3), pooling), [0.5, 0.5])
    assert jnp.isfinite(jax.grad(lambda c: (q.item_weights(p, c) @ e).sum())(jnp.array([1.0, 0, 1]))).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: q.query_vector(jnp.ones(3), jnp.ones((2, 4))), r"query_vector: expected w \[m\], e \[m, d\]; found"),
        (lambda: q.query_vector(jnp.ones((3, 1)), jnp.ones((3, 4))), r"query_vector: .*found w \[3, 1\], e \[3, 4\]"),
        (lambda: q.item_weights(jnp.ones(3), jnp.ones(2)), r"item_weights: .*found p \[3\], count \[2\]"),
        (lambda: q.item_weights(jnp.ones((2, 3))), "item_weights"),
        (lambda: q.field_vectors(jnp.ones((2, 3)), jnp.zeros(3, int), 2), r"field_vectors: .*field \[3\]"),
        (
            lambda: q.proximity_logits(jnp.ones((3, 4)), jnp.ones((2, 4)), jnp.ones(4)),
            r".*R \[2, 4\]",
        ),
        (lambda: q.proximity_logits(jnp.ones((3, 4)), jnp.ones((3, 4)), jnp.ones(5)), r"proximity_logits: .*x \[5\]"),
        (lambda: q.preference(jnp.ones((2, 3)), jnp.ones(3, bool)), r"preference: .*has \[3\]"),
        (lambda: q.importance(jnp.ones((2, 3)), jnp.ones(3, bool)), r"importance: .*has \[3\]"),
        (lambda: q.attribute_level(*map(jnp.ones, (3, (2, 4), 4, (4, 5), 5))), r"attribute_level: .*W1 \[2, 4\]"),
        (lambda: q.kl_divergence(jnp.ones(3), jnp.ones(3), jnp.ones(2, bool)), r"kl_divergence: .*has \[2\]"),
        (lambda: q.cross_entropy(jnp.ones(3), jnp.ones(3), jnp.ones(1, bool)), r"cross_entropy: .*has \[1\]"),
        (lambda: q.attribute_loss(jnp.ones(3), jnp.ones((3, 1))), r"attribute_loss: .*divergence \[3, 1\]"),
        (lambda: q.relevance(*jnp.ones((4, 3, 3))), r"relevance: .*q_s \[3, 3\]"),
        (lambda: q.recommendation_loss(jnp.ones(3), jnp.ones((3, 1))), r"recommendation_loss: .*rel \[3, 1\]"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, message):
    with pytest.raises(AssertionError, match=message):
        call()
