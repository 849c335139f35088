"""Tables whose rows are divided give what whole tables give: values, gradients, and no more columns than asked for."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from hkjax.ops.collectives import DATA, ROWS, all_gather, device_key, psum, rows_key
from hkjax.ops.columns import map_columns, reduce_columns, sum_columns
from hkjax.ops.lookup import local_rows, num_local_rows
from hkjax.ops.lowerings import layout as layouts
from hkjax.training.partition import make_mesh

TABLE = jnp.arange(42.0).reshape(7, 6) ** 0.5  # neither rows nor columns are divisible
IDS = jnp.array([6, 0, 3, 3])
BY_ROWS = P(ROWS)
BESIDE = jnp.cos(jnp.arange(24.0)).reshape(4, 6)


def on_mesh(function, *args, shape=(1, 4), out=BY_ROWS):
    """Runs function(own rows of the first argument, the others) on each device."""
    specs = (P(ROWS), *[P()] * (len(args) - 1))
    mapped = jax.shard_map(function, mesh=make_mesh(shape), in_specs=specs, out_specs=out, check_vma=False)
    return jax.jit(mapped)(jnp.pad(args[0], ((0, 1), (0, 0))), *args[1:])


def looked_up(table):
    return map_columns(lambda table: table[IDS], [table])


def summed(table, beside):
    return sum_columns(lambda table, beside: (table[IDS] * beside).sum(-1), [table], [beside])


def reduced(table):
    return reduce_columns(lambda table: jnp.zeros((7, table.shape[1])).at[IDS].add(table[:4]), [table])


@pytest.fixture(params=[layouts.MOST_PADDED_ROWS, 0])
def layout(request, monkeypatch):
    """Parts as they come, and laid out by columns."""
    monkeypatch.setattr(layouts, "MOST_PADDED_ROWS", request.param)


@pytest.mark.usefixtures("layout")
def test_every_device_can_look_up_any_rows():
    found = on_mesh(looked_up, TABLE).reshape(4, 4, 6)
    np.testing.assert_array_equal(found, np.broadcast_to(TABLE[IDS], (4, 4, 6)))


@pytest.mark.usefixtures("layout")
def test_sums_over_columns_are_those_of_whole_rows():
    np.testing.assert_allclose(on_mesh(summed, TABLE, BESIDE, out=P()), summed(TABLE, BESIDE), rtol=1e-6)


@pytest.mark.usefixtures("layout")
def test_what_lies_beside_has_a_gradient_too():
    def gradient(table, beside):
        return jax.grad(lambda beside: jnp.sin(summed(table, beside)).sum())(beside)

    found = on_mesh(gradient, TABLE, BESIDE, out=P())
    np.testing.assert_allclose(found, gradient(TABLE, BESIDE), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("d", "n_parts"), [(6, 3), (8, 4), (1, 1), (3, 3)])
def test_no_part_of_columns_is_padding_alone(d, n_parts):
    def count(table):
        widths = []
        map_columns(lambda table: widths.append(table.shape) or table[:1], [table])
        parts = map_columns(lambda table: jnp.ones((1, table.shape[1])), [table])
        assert parts.shape == (1, d)
        assert widths[0] == (8, -(-d // n_parts))
        return parts

    on_mesh(count, TABLE[:, :1] * jnp.ones(d))


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("shape", [(1, 4), (2, 2)])
def test_each_device_gets_its_rows_of_the_sum(shape):
    found = on_mesh(lambda table: psum(reduced(table), DATA), TABLE, shape=shape)
    assert found.shape == (8, 6)
    np.testing.assert_allclose(found[:7], 4 * reduced(TABLE), rtol=1e-6)
    assert (found[7] == 0).all()


def test_local_rows_are_consecutive_and_padded():
    def held(_):
        assert num_local_rows(7) == 2
        return local_rows(jnp.arange(1, 8))

    np.testing.assert_array_equal(on_mesh(held, TABLE), [1, 2, 3, 4, 5, 6, 7, 0])
    np.testing.assert_array_equal(local_rows(jnp.arange(3)), jnp.arange(3))
    assert num_local_rows(7) == 7


def test_gathering_undoes_dividing():
    found = on_mesh(lambda _: all_gather(local_rows(jnp.arange(7))), TABLE, out=P())
    np.testing.assert_array_equal(found, [0, 1, 2, 3, 4, 5, 6, 0])


@pytest.mark.parametrize(("shape", "n_different"), [((1, 4), 4), ((4, 1), 1), ((2, 2), 2)])
def test_rows_are_drawn_apart_where_they_are_divided_and_alike_where_they_are_not(shape, n_different):
    def draw(_):
        keys = rows_key(jax.random.key(0)), device_key(jax.random.key(0))
        return jnp.stack([jax.random.bits(key) for key in keys])[None]

    of_rows, of_device = np.asarray(on_mesh(draw, TABLE, shape=shape, out=P((DATA, ROWS)))).T
    assert len(set(of_rows.tolist())) == n_different
    assert len(set(of_device.tolist())) == 4


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("function", [looked_up, reduced, partial(summed, beside=BESIDE)])
def test_gradients_are_summed_where_the_rows_are_held(function):
    def gradient(table):
        return jax.grad(lambda table: jnp.sin(function(table)).sum())(table)

    found, expected = on_mesh(gradient, TABLE), gradient(TABLE)
    if function is reduced:  # The sum is four times as much, and its rows have one device each.
        expected = 4 * jax.grad(lambda table: jnp.sin(4 * reduced(table)).sum() / 4)(TABLE)
    else:  # Each of the four takes the sine of the same.
        expected = 4 * expected
    np.testing.assert_allclose(found[:7], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("most", "by_columns"), [(8, False), (7, True)])
def test_tpus_lay_out_parts_of_very_many_rows_by_columns(most, by_columns, monkeypatch):
    monkeypatch.setattr(layouts, "MOST_PADDED_ROWS", most)

    def summed_back(table):
        return jax.grad(lambda table: jnp.sum(reduce_columns(lambda table: table**2, [table])))(table)

    mapped = jax.shard_map(summed_back, mesh=make_mesh((1, 4)), in_specs=BY_ROWS, out_specs=BY_ROWS, check_vma=False)
    text = jax.jit(mapped).trace(jnp.zeros((8, 6))).lower(lowering_platforms=("tpu",)).as_text()
    assert ("LayoutConstraint" in text) == by_columns
