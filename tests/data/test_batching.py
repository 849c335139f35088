import jax
import numpy as np
import pytest

from hkjax.data.batching import bucket_by_length, epoch_order, get_batch, ragged_layout, shard_layout, shard_order
from hkjax.errors import InputError

SIZES = np.random.default_rng(0).zipf(1.6, 1003).clip(max=400) - 1


def epoch(batches, key):
    order = epoch_order(batches, jax.random.key(key))
    return [get_batch(batches, order, step) for step in range(batches.steps_per_epoch)]


@pytest.mark.parametrize("sizes", [None, SIZES])
def test_an_epoch_takes_every_example_once(sizes):
    batches = bucket_by_length({"row": np.arange(1003)}, 64, sizes)
    taken = np.concatenate([np.asarray(b["row"])[np.asarray(b["weight"]) > 0] for b in epoch(batches, 0)])
    np.testing.assert_array_equal(np.sort(taken), np.arange(1003))


@pytest.mark.parametrize("batch_size", [64, 59, 5000])
@pytest.mark.parametrize("sizes", [None, SIZES])
def test_the_mean_over_batches_is_the_mean_over_examples(sizes, batch_size):
    values = np.random.default_rng(1).normal(size=1003).astype(np.float32)
    batches = bucket_by_length({"value": values}, batch_size, sizes)
    means = [float((batch["weight"] * batch["value"]).mean()) for batch in epoch(batches, 0)]
    assert np.mean(means) == pytest.approx(values.mean(), rel=1e-4)
    if batch_size == 59:
        assert {float(weight) for batch in epoch(batches, 0) for weight in batch["weight"]} == {1.0}


@pytest.mark.parametrize("sizes", [None, SIZES])
def test_epochs_differ_by_their_key_alone(sizes):
    batches = bucket_by_length({"row": np.arange(1003)}, 64, sizes)
    first, again, other = (np.asarray(epoch_order(batches, jax.random.key(k))) for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9


def test_every_row_has_room_for_its_example():
    batches = bucket_by_length({"size": SIZES}, 64, SIZES)
    room = np.bincount(np.asarray(batches.layout.row), minlength=64)
    for batch in epoch(batches, 0):
        assert (np.asarray(batch["size"] * (batch["weight"] > 0)) <= room).all()


def test_rows_have_at_most_one_example_more_room_than_the_average_batch_needs():
    batches = bucket_by_length({"size": SIZES}, 64, SIZES)
    assert len(batches.layout.row) <= SIZES.sum() / batches.steps_per_epoch + SIZES.max()


def test_positions_count_from_zero_in_every_row():
    layout = bucket_by_length({"size": SIZES}, 64, SIZES).layout
    row, position = np.asarray(layout.row), np.asarray(layout.position)
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    np.testing.assert_array_equal(position[starts], 0)
    np.testing.assert_array_equal(np.diff(position)[np.diff(row) == 0], 1)


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(InputError, match=r"training.batch_size"):
        bucket_by_length({"row": np.arange(3)}, 0)


def test_a_batch_of_several_devices_is_that_of_one():
    batches = bucket_by_length({"size": SIZES}, 64, SIZES)
    order = epoch_order(batches, jax.random.key(0))
    np.testing.assert_array_equal(shard_order(order, 4)[1], order[1::4])
    strided, whole = shard_layout(batches.layout, 4, strided=True), np.asarray(batches.layout.length)
    for k in range(4):
        np.testing.assert_array_equal(strided.length[k], whole[k::4])
        real = np.asarray(strided.position[k]) < 10**6
        np.testing.assert_array_equal(np.bincount(np.asarray(strided.row[k])[real], minlength=16), whole[k::4])


def test_consecutive_rows_are_divided_and_padded():
    parts = shard_layout(ragged_layout(np.array([2, 0, 1, 3, 1])), 2)
    np.testing.assert_array_equal(parts.length, [[2, 0, 1], [3, 1, 0]])
    np.testing.assert_array_equal(parts.row, [[0, 0, 2, 2], [0, 0, 0, 1]])
    assert int(parts.position[0, 3]) > 10**6
