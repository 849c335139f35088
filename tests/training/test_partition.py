import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from hkjax.errors import InputError
from hkjax.experiment import Experiment
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hakg.parameters import HAKG
from hkjax.models.hakg.propagation import propagate
from hkjax.ops.collectives import DATA, ROWS
from hkjax.runs import build_for
from hkjax.training.partition import Partitioner, make_mesh, parse_mesh_shape
from tests.zoo import ONE_LAYER, WHOLE


@pytest.mark.parametrize(
    ("asked", "shape"), [((-1, 1), (4, 1)), ((1, -1), (1, 4)), ((2, -1), (2, 2)), ((2, 2), (2, 2)), ((1, 3), (1, 3))]
)
def test_the_mesh_has_as_many_devices_as_asked_for(asked, shape):
    mesh = make_mesh(asked)
    assert mesh.devices.shape == shape
    assert mesh.axis_names == (DATA, ROWS)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 2), r"mesh: \(3, 2\) needs 6 devices, found 4"),
        ((8, -1), r"mesh: \(8, -1\) needs 8 devices, found 4"),
        ((-1, -1), "mesh: expected two device counts"),
        ((0, 1), "mesh: expected two device counts"),
        ((4,), "mesh: expected two device counts"),
        ((2.0, 1), "mesh: expected two device counts"),
    ],
)
def test_a_mesh_that_can_not_be_is_refused(shape, message):
    with pytest.raises(InputError, match=message):
        make_mesh(shape)


def test_a_flag_names_a_shape():
    assert parse_mesh_shape(["1", "-1"]) == (1, -1)
    with pytest.raises(InputError, match="mesh: expected two integers such as 1,-1, found 1,x"):
        parse_mesh_shape(["1", "x"])


@pytest.mark.parametrize(("shape", "n_different"), [((1, 4), 4), ((2, 2), 2), ((4, 1), 1)])
def test_rows_are_dropped_apart_where_they_are_divided_and_alike_where_they_are_not(
    indivisible_data, shape, n_different
):
    data, config = indivisible_data, HAKGConfig(**ONE_LAYER, **WHOLE, message_dropout=0.5)
    recommender = hakg(config, data, batch_size=32)
    partitioner = Partitioner(recommender, make_mesh(shape))
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations)

    def first_layer(params, inputs):
        of_users = propagate(config, module.apply(params), inputs, jax.random.key(3)).user
        return of_users - params["params"]["user"]

    of_params = partitioner.state_specs(partitioner.params)
    on_devices = partitioner.shard_map(first_layer, of_params, (partitioner.input_specs,), P((DATA, ROWS)))
    params = partitioner.pad(jax.jit(recommender.init)(jax.random.key(0)))
    params = jax.device_put(params, partitioner.state_shardings(partitioner.params))
    rows = np.asarray(jax.jit(on_devices)(params, partitioner.inputs))
    dropped = rows.reshape(4, -1, 8)[:, :4] == 0  # the first rows that each device holds
    patterns = {dropped[k].tobytes() for k in range(4)}
    assert jnp.logical_and(dropped.any(), not dropped.all())
    assert len(patterns) == n_different


def test_what_is_divided_is_made_on_the_host(tiny_data):
    model, made = hakg(HAKGConfig(**ONE_LAYER, **WHOLE), tiny_data, batch_size=32), []

    def shard(*shape):
        made.append(model.shard(*shape))
        return made[0]

    host, other = jax.devices()[0], jax.devices()[3]
    with jax.default_device(other):
        divided = Partitioner(model._replace(shard=shard), make_mesh((1, 4))).inputs
    assert made[0].inputs.graph.rows.devices() == {host}
    assert divided.graph.rows.devices() == {*jax.devices()}


@pytest.mark.parametrize(("shape", "device"), [((1, 4), 0), ((4, 1), 3)])
def test_a_model_whose_tables_are_divided_stays_on_the_host(tiny_data, shape, device):
    experiment = Experiment(model=HAKGConfig(**ONE_LAYER, **WHOLE))
    with jax.default_device(jax.devices()[3]):
        inputs = build_for(make_mesh(shape), experiment, tiny_data).inputs
    assert inputs.graph.rows.devices() == {jax.devices()[device]}
