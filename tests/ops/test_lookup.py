"""Reading rows: what sums of their gradients are, and in which order GPUs form them. On meshes, see test_meshes.py."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hkjax.ops import lookup

IDS = np.array([[4, 0, 4], [2, 4, 0]])


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def take(table):
    return lookup.take_rows(table, jnp.asarray(IDS))


def test_gradients_of_rows_add_up_by_id():
    table = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)))
    check_grads(jax.jit(lambda table: jnp.sum(jnp.sin(take(table)) ** 2)), (table,), order=2, rtol=1e-5)
    gradient = jax.grad(lambda table: take(table).sum())(table)
    np.testing.assert_array_equal(gradient, np.array([2, 0, 1, 0, 3, 0])[:, None].repeat(3, axis=1))


def test_gpus_add_rows_in_order():
    gradient = jax.jit(jax.grad(lambda table: jnp.sum(take(table) ** 2)))
    text = gradient.trace(jnp.ones((6, 3))).lower(lowering_platforms=("cuda",)).as_text()
    assert re.findall(r'"stablehlo.scatter"\(.*?\) <\{indices_are_sorted = (\w+)', text) == ["true"]


def test_gpus_add_many_rows_of_few_by_pieces():
    ids = jax.ShapeDtypeStruct((6 * 256 + 1,), jnp.int32)
    gradient = jax.jit(jax.grad(lambda table, ids: jnp.sum(lookup.take_whole(table, ids) ** 2)))
    text = gradient.trace(jnp.ones((6, 3)), ids).lower(lowering_platforms=("cuda",)).as_text()
    assert text.count('"stablehlo.scatter"(') == 2
