import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hkjax.data.sampling import make_histories, random_subset, sample_negatives, stratify

from hkjax.errors import InputError

SIZES = np.random.default_rng(0).zipf(1.6, 1003).clip(max=400) - 1


def epoch(batches, key):
    order = epoch_order(batches, jax.random.key(key))
    return [get_batch(batches, order, step) for step in range(batches.steps_per_epoch)]


@pytest.mark.parametrize("sizes", [None, SIZES])
def test_an_epoch_takes_every_example_once(sizes):
    batches = stratify({"row": np.arange(1003)}, 64, sizes)
    taken = np.concatenate([np.asarray(b["row"])[np.asarray(b["weight"]) == 1] for b in epoch(batches, 0)])
    np.testing.assert_array_equal(np.sort(taken), np.arange(1003))


@pytest.mark.parametrize("sizes", [None, SIZES])
def test_epochs_differ_by_their_key_alone(sizes):
    batches = stratify({"row": np.arange(1003)}, 64, sizes)
    first, again, other = (np.asarray(epoch_order(batches, jax.random.key(k))) for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9


def test_every_lane_has_room_for_its_example():
    batches = stratify({"size": SIZES}, 64, SIZES)
    room = np.bincount(np.asarray(batches.layout["lane"]), minlength=64)
    for batch in epoch(batches, 0):
        assert (np.asarray(batch["size"] * batch["weight"]) <= room).all()


def test_lanes_have_at_most_one_example_more_room_than_the_average_batch_needs():
    batches = stratify({"size": SIZES}, 64, SIZES)
    assert len(batches.layout["lane"]) <= SIZES.sum() / batches.steps_per_epoch + SIZES.max()


def test_slots_count_from_zero_in_every_lane():
    layout = stratify({"size": SIZES}, 64, SIZES).layout
    lane, slot = np.asarray(layout["lane"]), np.asarray(layout["slot"])
    starts = np.flatnonzero(np.diff(lane, prepend=-1))
    np.testing.assert_array_equal(slot[starts], 0)
    np.testing.assert_array_equal(np.diff(slot)[np.diff(lane) == 0], 1)


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(InputError, match=r"training.batch_size"):
        stratify({"row": np.arange(3)}, 0)


def test_unseen_items_are_drawn_uniformly_and_never_liked_ones():
    random = np.random.default_rng(0)
    n_items, liked = 12, [[], [0], [11], [0, 1, 2, 5, 11], list(range(11))]
    users = np.concatenate([np.full(len(items), user) for user, items in enumerate(liked)]).astype(int)
    shuffled = random.permutation(len(users))
    histories = make_histories(users[shuffled], np.concatenate(liked).astype(int)[shuffled], len(liked), n_items)
    everyone = jnp.arange(len(liked))
    draws = np.asarray(sample_negatives(jax.random.key(0), histories, everyone, everyone, 60_000, n_items))
    for user, items in enumerate(liked):
        counts = np.bincount(draws[user], minlength=n_items)
        unseen = np.setdiff1d(np.arange(n_items), items)
        assert counts[items].sum() == 0
        expected = 60_000 / len(unseen)
        assert np.abs(counts[unseen] - expected).max() < 5 * np.sqrt(expected)


def test_the_draws_of_an_example_do_not_depend_on_its_batch():
    histories = make_histories(np.array([0, 1, 1]), np.array([2, 0, 3]), 2, 9)
    users, examples = jnp.array([1, 0, 1, 1]), jnp.array([7, 8, 9, 3])
    whole = sample_negatives(jax.random.key(0), histories, users, examples, 20, 9)
    np.testing.assert_array_equal(
        sample_negatives(jax.random.key(0), histories, users[1::2], examples[1::2], 20, 9), whole[1::2]
    )
    assert (whole[0] != whole[2]).any()


def test_a_user_who_liked_everything_is_refused():
    with pytest.raises(InputError, match="a user liked every item"):
        make_histories(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, 2)


@pytest.mark.parametrize("size", [0, 1, 3, 7])
def test_a_random_subset_has_its_size_and_every_member_equally_often(size):
    keys = jax.random.split(jax.random.key(0), 4000)
    chosen = np.asarray(jax.vmap(lambda key: random_subset(key, 7, size))(keys))
    np.testing.assert_array_equal(chosen.sum(1), size)
    np.testing.assert_allclose(chosen.mean(0), size / 7, atol=0.03)
