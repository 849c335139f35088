"""A checksum changes with every number, and neither with the devices nor with padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from hkjax.training.saving.checksums import describe, difference


def sums(tree):
    return {name: array["sum"] for name, array in describe(tree).items()}


@given(place=st.integers(0, 39), bit=st.integers(0, 31), seed=st.integers(0, 9))
def test_any_flipped_bit_changes_the_sum(place, bit, seed):
    table = np.random.default_rng(seed).normal(size=(10, 4)).astype(np.float32)
    flipped = table.copy()
    flipped.view(np.uint32).flat[place] ^= np.uint32(1 << bit)
    assert sums({"table": table}) != sums({"table": flipped})


def test_the_places_of_numbers_count():
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    others = [table[::-1], table[:, ::-1], np.roll(table, 1), table.T.reshape(4, 3), np.zeros_like(table)]
    assert len({sums([other])["0"] for other in (table, *others)}) == 6


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "uint32", "bfloat16", "float16", "float32"])
def test_every_type_of_number_has_a_sum(dtype):
    array = jnp.arange(6).astype(dtype)
    assert describe([array])["0"]["dtype"] == dtype
    assert sums([array]) != sums([array.at[5].set(array[0])])
    assert sums([jnp.zeros((), dtype)])["0"] == "00000000"


def test_the_second_half_of_a_double_counts():
    with jax.enable_x64(True):
        array = np.array([1.0, 2.0])
        assert sums([jnp.asarray(array)]) != sums([jnp.asarray(np.nextafter(array, 3))])


def test_neither_devices_nor_padding_change_the_sum():
    table = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    mesh = jax.make_mesh((4,), ("rows",))
    divided = jax.device_put(table, NamedSharding(mesh, P("rows")))
    padded = np.pad(table, ((0, 4), (0, 0)))
    assert sums([table]) == sums([divided]) == sums([padded])


def test_the_sum_of_a_word_by_hand():
    def mix(x):
        x = (x ^ x >> 16) * 0x85EBCA6B % 2**32
        x = (x ^ x >> 13) * 0xC2B2AE35 % 2**32
        return x ^ x >> 16

    expected = (mix(7 ^ mix(1)) + mix(9 ^ mix(2))) % 2**32
    assert sums([np.array([7, 9], np.uint32)])["0"] == f"{expected:08x}"


def test_what_tells_another_model_apart():
    there = describe({"user": np.zeros((3, 2), np.float32)})
    assert difference(there, {"user": np.zeros((3, 2), np.float32)}, padded=False) is None
    assert difference(there, {"user": np.zeros((5, 2), np.float32)}, padded=True) is None
    assert "is float32 [3, 2] there, float32 [5, 2] here" in difference(
        there, {"user": np.zeros((5, 2), np.float32)}, padded=False
    )
    assert "float64" in difference(there, {"user": np.zeros((3, 2))}, padded=True)
    assert difference(there, {"item": np.zeros((3, 2))}, padded=True) == "item is only here"
