import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from hkjax.models.base import AXIS
from hkjax.training.tables import Tables

PARAMS = {"table": jnp.arange(14.0).reshape(7, 2), "kernel": jnp.ones((3, 4)), "bias": jnp.ones(9)}


def tables(n_shards):
    return Tables(jax.eval_shape(lambda: PARAMS), n_shards)


def test_only_matrices_with_more_rows_than_columns_are_divided():
    assert jax.tree.map(tables(4).spec, PARAMS) == {"table": P(AXIS), "kernel": P(), "bias": P()}
    assert jax.tree.map(tables(1).spec, PARAMS) == {"table": P(), "kernel": P(), "bias": P()}


def test_filling_up_makes_the_rows_divisible_and_is_undone_by_cutting():
    filled = jax.tree.map(tables(4).fill_up, PARAMS)
    assert filled["table"].shape == (8, 2)
    assert (filled["table"][7] == 0).all()
    jax.tree.map(np.testing.assert_array_equal, tables(4).cut(filled), PARAMS)


def test_gathered_shares_are_the_whole_and_the_mean_of_gradients_is_that_of_the_whole():
    factors = jnp.arange(1.0, 5)

    def loss(params, factor):
        return factor * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))

    def of_device(params, factor):
        gradients = jax.grad(lambda p: loss(tables(4).gather(p), factor[0]))(params)
        return tables(4).average(gradients)

    mesh = jax.make_mesh((4,), (AXIS,), axis_types=(AxisType.Auto,))
    filled = jax.tree.map(tables(4).fill_up, PARAMS)
    specs = jax.tree.map(tables(4).spec, PARAMS)
    mapped = jax.shard_map(of_device, mesh=mesh, in_specs=(specs, P(AXIS)), out_specs=specs, check_vma=False)
    found = tables(4).cut(jax.jit(mapped)(filled, factors))
    expected = jax.grad(lambda params: loss(params, factors.mean()))(PARAMS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)
