import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops._threefry import folded_bits, random_bits

KEYS = [jax.random.key(7), jax.random.PRNGKey(8), jax.random.key(9, impl="rbg")]


@pytest.mark.parametrize("key", KEYS, ids=["threefry", "raw", "rbg"])
def test_draws_are_those_of_jax_random(key):
    for shape in ((), (1,), (5,), (3, 4), (0, 2)):
        np.testing.assert_array_equal(random_bits(key, shape), jax.random.bits(key, shape, jnp.uint32))
    numbers = jnp.array([0, 5, 2**31 - 1])
    folded = [jax.random.key_data(jax.random.fold_in(key, number))[0] for number in numbers]
    np.testing.assert_array_equal(folded_bits(key, numbers), folded)


def test_keys_may_be_mapped_over():
    keys = jax.random.split(jax.random.key(1), 6).reshape(2, 3)
    ours, theirs = (
        jax.vmap(jax.vmap(f))(keys) for f in (lambda k: random_bits(k, (4,)), lambda k: jax.random.bits(k, (4,)))
    )
    np.testing.assert_array_equal(ours, theirs)


def test_without_the_generators_default_order_draws_are_those_of_jax_random_too():
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(random_bits(KEYS[0], (5,)), jax.random.bits(KEYS[0], (5,), jnp.uint32))
