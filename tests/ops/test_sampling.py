import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkjax.errors import InputError
from hkjax.ops import sampling
from hkjax.ops.lowerings import searches
from hkjax.ops.sampling import dropout, make_exclusions, make_histories, sample_negatives


def test_so_many_entries_are_dropped_and_the_mean_stays():
    x = dropout(jax.random.key(0), jnp.ones((1001, 101)), 0.1)
    values = np.unique(np.asarray(x))
    np.testing.assert_allclose(values, [0, 1 / 0.9], rtol=1e-4)
    # Of 101,101 entries, to five standard deviations.
    assert abs(float((x == 0).mean()) - 0.1) < 5 * (0.09 / 101_101) ** 0.5


def test_entries_that_share_a_word_are_dropped_independently():
    dropped = np.asarray(dropout(jax.random.key(1), jnp.ones((20_000, 2)), 0.5)) == 0
    assert abs((dropped[:, 0] & dropped[:, 1]).mean() - 0.25) < 5 * (0.1875 / 20_000) ** 0.5


@pytest.mark.parametrize("width", [1, 6, 7])
@pytest.mark.parametrize("key", [jax.random.key(2), jax.random.key(3, impl="rbg")])
def test_what_is_dropped_follows_from_the_halves_of_the_keys_words(key, width):
    x = jax.random.normal(key, (50, width))
    words = np.asarray(jax.random.bits(key, (50, -(-width // 2)), jnp.uint32))
    kept = (np.concatenate([words % 65536, words // 65536], axis=1) >= 0.25 * 65536)[:, :width]
    gradient = jax.grad(lambda x: jnp.sum(dropout(key, x, 0.25)))(x)
    np.testing.assert_allclose(dropout(key, x, 0.25), np.where(kept, x / 0.75, 0), rtol=1e-6)
    np.testing.assert_allclose(gradient, kept / 0.75, rtol=1e-6)


def test_negatives_are_drawn_uniformly_and_never_positives():
    random = np.random.default_rng(0)
    n_items, positives = 12, [[], [0], [11], [0, 1, 2, 5, 11], list(range(11))]
    users = np.concatenate([np.full(len(items), user) for user, items in enumerate(positives)]).astype(int)
    shuffled = random.permutation(len(users))
    exclusions = make_exclusions(
        users[shuffled], np.concatenate(positives).astype(int)[shuffled], len(positives), n_items
    )
    users_in_order = jnp.arange(len(positives))
    draws = np.asarray(sample_negatives(jax.random.key(0), exclusions, users_in_order, users_in_order, 60_000, n_items))
    for user, items in enumerate(positives):
        counts = np.bincount(draws[user], minlength=n_items)
        others = np.setdiff1d(np.arange(n_items), items)
        assert counts[items].sum() == 0
        expected = 60_000 / len(others)
        assert np.abs(counts[others] - expected).max() < 5 * np.sqrt(expected)


def test_ids_are_drawn_uniformly():
    counts = np.bincount(sampling.draw_ids(jax.random.key(0), 70_000, 7), minlength=7)
    assert len(counts) == 7
    assert np.abs(counts - 10_000).max() < 5 * 10_000**0.5


def test_the_draws_of_an_example_do_not_depend_on_its_batch():
    exclusions = make_exclusions(np.array([0, 1, 1]), np.array([2, 0, 3]), 2, 9)
    users, examples = jnp.array([1, 0, 1, 1]), jnp.array([7, 8, 9, 3])
    draw = jax.jit(lambda users, examples: sample_negatives(jax.random.key(0), exclusions, users, examples, 20, 9))
    whole = draw(users, examples)
    np.testing.assert_array_equal(draw(users[1::2], examples[1::2]), whole[1::2])
    assert (whole[0] != whole[2]).any()


def test_counting_finds_what_bisection_finds():
    random = np.random.default_rng(0)
    lengths = np.array([0, 1, 127, 128, 129, 300, 5])
    histories = [np.sort(random.choice(400, size=n, replace=False)) for n in lengths]
    users = np.repeat(np.arange(len(lengths)), lengths)
    exclusions = make_exclusions(users, np.concatenate(histories), len(lengths), 401)
    rank = jnp.asarray(random.integers(0, 401 - lengths[:, None], size=(len(lengths), 200)), jnp.int32)
    args = exclusions.values, exclusions.start, exclusions.length, rank
    expected = [
        [int((history - np.arange(len(history)) <= r).sum()) for r in row]
        for history, row in zip(histories, rank, strict=True)
    ]
    np.testing.assert_array_equal(searches.excluded_below(*args, longest=401), expected)
    np.testing.assert_array_equal(searches.excluded_below_unrolled(*args, longest=401), expected)
    np.testing.assert_array_equal(searches.excluded_below_by_comparison(*args, longest=401), expected)


@given(a=st.integers(0, 2**32 - 1), b=st.integers(0, 2**32 - 1))
def test_the_high_word_of_a_product(a, b):
    assert int(sampling.multiply_high(jnp.uint32(a), jnp.uint32(b))) == a * b >> 32


def test_a_user_with_every_item_is_refused():
    with pytest.raises(InputError, match="a user has every item"):
        make_exclusions(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, 2)


def test_histories_keep_the_order_of_a_users_items():
    histories = make_histories(np.array([1, 0, 1, 1]), np.array([5, 2, 3, 4]), 3)
    np.testing.assert_array_equal(histories.values, [2, 5, 3, 4])
    np.testing.assert_array_equal(histories.start, [0, 1, 4])
    np.testing.assert_array_equal(histories.length, [1, 3, 0])
