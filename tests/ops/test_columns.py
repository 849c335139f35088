"""Tables that are divided by rows give what whole tables give, values and gradients."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hkjax.models.devices import ONE, Devices
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from hkjax.models.base import AXIS

FOUR = Devices(AXIS, 4)
TABLE = jnp.arange(42.0).reshape(7, 6) ** 0.5  # neither rows nor columns are divisible
ROWS = jnp.array([6, 0, 3, 3])
BESIDE = jnp.cos(jnp.arange(24.0)).reshape(4, 6)


DIVIDED, WHOLE = P(AXIS), P()


def on_four(function, *args, result=DIVIDED):
    """Runs function(FOUR, own rows of the first argument, the others) on each device."""
    mesh = jax.make_mesh((4,), (AXIS,), axis_types=(AxisType.Auto,))
    mapped = jax.shard_map(
        partial(function, FOUR),
        mesh=mesh,
        in_specs=(P(AXIS), *[P()] * (len(args) - 1)),
        out_specs=result,
        check_vma=False,
    )
    return jax.jit(mapped)(jnp.pad(args[0], ((0, 1), (0, 0))), *args[1:])


def looked_up(devices, table):
    return devices.look_up(lambda table: table[ROWS], [table])


def contracted(devices, table, beside):
    return devices.contract(lambda table, beside: (table[ROWS] * beside).sum(-1), [table], [beside])


def added_up(devices, table):
    total = devices.add_up(lambda table: jnp.zeros((7, table.shape[1])).at[ROWS].add(table[:4]), [table])
    return devices.complete(total)


def test_every_device_can_look_up_any_rows():
    found = on_four(looked_up, TABLE).reshape(4, 4, 6)
    np.testing.assert_array_equal(found, np.broadcast_to(TABLE[ROWS], (4, 4, 6)))


def test_sums_over_columns_are_those_of_whole_rows():
    found = on_four(contracted, TABLE, BESIDE, result=WHOLE)
    np.testing.assert_allclose(found, contracted(ONE, TABLE, BESIDE), rtol=1e-6)


def test_what_lies_beside_has_a_gradient_too():
    def gradient(devices, table, beside):
        return jax.grad(lambda beside: jnp.sin(contracted(devices, table, beside)).sum())(beside)

    found = on_four(gradient, TABLE, BESIDE, result=WHOLE)
    np.testing.assert_allclose(found, gradient(ONE, TABLE, BESIDE), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("d", "n_parts"), [(6, 3), (8, 4), (1, 1), (3, 3)])
def test_there_is_no_part_of_columns_that_only_fill_up(d, n_parts):
    def count(devices, table):
        widths = []
        devices.look_up(lambda table: widths.append(table.shape) or table[:1], [table])
        parts = devices.look_up(lambda table: jnp.ones((1, table.shape[1])), [table])
        assert parts.shape == (1, d)
        assert widths[0] == (8, -(-d // n_parts))
        return parts

    on_four(count, TABLE[:, :1] * jnp.ones(d))


def test_each_device_gets_its_rows_of_what_all_add_up():
    found = on_four(added_up, TABLE)
    assert found.shape == (8, 6)
    np.testing.assert_allclose(found[:7], 4 * added_up(ONE, TABLE), rtol=1e-6)
    assert (found[7] == 0).all()


def test_own_rows_are_consecutive_and_filled_up():
    found = on_four(lambda devices, _: devices.own(jnp.arange(1, 8)), TABLE)
    np.testing.assert_array_equal(found, [1, 2, 3, 4, 5, 6, 7, 0])
    assert FOUR.rows(7) == 2
    assert ONE.rows(7) == 7


def test_all_undoes_own():
    found = on_four(lambda devices, _: devices.all(devices.own(jnp.arange(7))), TABLE, result=WHOLE)
    np.testing.assert_array_equal(found, [0, 1, 2, 3, 4, 5, 6, 0])


@pytest.mark.parametrize(("devices", "n_different"), [(FOUR, 4), (Devices(AXIS), 1)])
def test_rows_are_drawn_apart_where_they_are_divided_and_alike_where_they_are_not(devices, n_different):
    def draw(_, table):
        keys = devices.key_of_rows(jax.random.key(0)), devices.key_of_share(jax.random.key(0))
        return jnp.stack([jax.random.bits(key) for key in keys])[None]

    of_rows, of_share = np.asarray(on_four(draw, TABLE)).T
    assert len(set(of_rows.tolist())) == n_different
    assert len(set(of_share.tolist())) == 4


@pytest.mark.parametrize("function", [looked_up, added_up, partial(contracted, beside=BESIDE)])
def test_gradients_are_summed_where_the_rows_are_held(function):
    def gradient(devices, table):
        return jax.grad(lambda table: jnp.sin(function(devices, table)).sum())(table)

    found, expected = on_four(gradient, TABLE), gradient(ONE, TABLE)
    if function is added_up:  # What is added up is four times as much, and its rows have one device each.
        expected = 4 * jax.grad(lambda table: jnp.sin(4 * added_up(ONE, table)).sum() / 4)(TABLE)
    else:  # Each of the four takes the sine of the same.
        expected = 4 * expected
    np.testing.assert_allclose(found[:7], expected, rtol=1e-5, atol=1e-5)
