import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops.lowerings import blocks
from hkjax.ops.lowerings.threefry import bits_at, folded_bits, folded_words, numbered, random_bits

KEYS = {"threefry": jax.random.key(7), "raw": jax.random.PRNGKey(8), "rbg": jax.random.key(9, impl="rbg")}
NUMBERS = jnp.array([0, 5, 2**31 - 1, 3, 4])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", 4)
    functions = random_bits, folded_bits, folded_words
    for function in functions:
        function.clear_cache()
    yield
    for function in functions:
        function.clear_cache()


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("partitionable", [True, False])
def test_draws_are_those_of_jax_random(name, partitionable):
    key = KEYS[name]
    with jax.threefry_partitionable(partitionable):
        for shape in ((), (1,), (5,), (3, 4), (0, 2)):
            np.testing.assert_array_equal(random_bits(key, shape), jax.random.bits(key, shape, jnp.uint32))
        for numbers in (NUMBERS, NUMBERS[:2]):
            keys = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
            np.testing.assert_array_equal(folded_words(key, numbers), jax.random.key_data(keys)[:, 0])
            for n in (1, 3):
                bits = jax.vmap(lambda key, n=n: jax.random.bits(key, (n,), jnp.uint32))(keys)
                np.testing.assert_array_equal(folded_bits(key, numbers, n), bits)


def test_words_by_their_numbers_are_those_of_jax_random():
    words = jax.random.bits(KEYS["threefry"], (3, 4), jnp.uint32)
    rows, columns = jnp.array([[0], [8]], jnp.uint32), jnp.array([3, 0, 0], jnp.uint32)
    np.testing.assert_array_equal(bits_at(KEYS["threefry"], rows, columns), [words[0, [3, 0, 0]], words[2, [3, 0, 0]]])
    assert numbered(KEYS["raw"], 2**32)
    assert not numbered(KEYS["raw"], 2**32 + 1)
    assert not numbered(KEYS["rbg"], 1)
    with jax.threefry_partitionable(False):
        assert not numbered(KEYS["threefry"], 1)


@pytest.mark.parametrize(("platform", "in_blocks"), [("cuda", False), ("tpu", True)])
def test_gpus_draw_all_words_at_once(platform, in_blocks, monkeypatch):
    monkeypatch.setattr(blocks, "LARGE_SIZE", 8)
    traced = jax.jit(lambda key: random_bits(key, (20,))).trace(KEYS["threefry"])
    assert ("stablehlo.while" in traced.lower(lowering_platforms=(platform,)).as_text()) == in_blocks
