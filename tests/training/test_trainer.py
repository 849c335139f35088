"""Training steps on meshes of devices: who holds what, what is donated, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.errors import InputError
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.testing import check_meshes
from hkjax.training.loop import TrainingConfig, fit
from hkjax.training.saving.checkpoint import Checkpoints
from hkjax.training.state import OptimizerConfig, make_optimizer
from hkjax.training.trainer import make_trainer
from tests.programs import every_equation
from tests.zoo import MODELS

ADAM = make_optimizer(OptimizerConfig(), steps_per_epoch=1)
# What runs a step, and on which mesh.
WAYS = {
    "one device": ((1, 1), "pmap"),
    "pmap": ((4, 1), "pmap"),
    "shard_map": ((4, 1), "shard_map"),
    "rows": ((1, 4), "shard_map"),
    "both": ((2, 2), "shard_map"),
}


def test_shard_map_does_without_sharded_tables_what_pmap_does(indivisible_data):
    check_meshes(MODELS["lightgcn"](indivisible_data), [(4, 1)], parallel="shard_map")


@pytest.mark.parametrize(("shape", "n_parts"), [((1, 4), 4), ((2, 2), 2)])
def test_each_device_holds_its_rows_of_the_tables_and_of_their_moments(shape, n_parts, indivisible_data):
    hakg = MODELS["hakg"](indivisible_data)
    state = make_trainer(hakg, ADAM, shape).init(jax.random.key(0))
    whole = jax.eval_shape(hakg.init, jax.random.key(0))["params"]
    for tree in (state.params, state.opt_state[0].mu, state.opt_state[0].nu):
        for name in ("user", "entity", "item"):
            table, n_rows = tree["params"][name], whole[name].shape[0]
            held = [shard.data.shape[0] for shard in table.addressable_shards]
            assert held == [-(-n_rows // n_parts)] * 4, name
    assert state.params["params"]["item_gate"].sharding.is_fully_replicated


@pytest.mark.parametrize("model", ["hkrm", "hakg", "lightgcn"])
def test_no_device_has_a_whole_table(indivisible_data, model):
    recommender = MODELS[model](indivisible_data)
    assert not whole_tables(recommender, indivisible_data, (1, 4))
    assert whole_tables(recommender, indivisible_data, (4, 1))


def whole_tables(recommender, data, shape):
    """Shapes with all rows of a table, and as many numbers, that a device computes in a step and to encode."""
    trainer = make_trainer(recommender, ADAM, shape, "shard_map")
    state = jax.eval_shape(trainer.init, jax.random.key(0))
    order = jax.eval_shape(trainer.epoch_order, jax.random.key(1))
    programs = [jax.make_jaxpr(trainer.train_steps)(state, order, jnp.int32(1), jax.random.key(2))]
    if shape[1] > 1:
        programs.append(jax.make_jaxpr(trainer.recommender.encode)(state.params, trainer.recommender.inputs))
    shapes = set()
    for program in programs:
        (on_a_device,) = (e.params["jaxpr"] for e in every_equation(program.jaxpr) if e.primitive.name == "shard_map")
        outputs = [x.aval for e in every_equation(on_a_device) for x in e.outvars]
        shapes |= {x.shape for x in outputs if jnp.issubdtype(x.dtype, jnp.floating)}
    tables = jax.tree.leaves(jax.eval_shape(recommender.init, jax.random.key(0)))
    n_rows = {x.shape[0] for x in tables if x.ndim == 2 and x.shape[0] in (data.n_users, data.n_items, data.n_entities)}
    n_rows |= {n + -n % 4 for n in n_rows}
    return {shape for shape in shapes if n_rows & {*shape} and np.prod(shape) >= 8 * min(n_rows)}


def test_each_device_holds_a_quarter_of_the_edges(indivisible_data):
    for model, names in {"hakg": ("graph", "interactions", "pairs"), "hkrm": ("values",)}.items():
        whole = MODELS[model](indivisible_data)
        divided = whole.shard(2, 2).inputs
        for name in names:
            n_edges, rows = getattr(whole.inputs, name).rows.size, getattr(divided, name).rows
            assert rows.shape == (4, -(-n_edges // 4)), name
    whole = MODELS["lightgcn"](indivisible_data)
    weights, divided = whole.inputs["interactions"].attr, whole.shard(4, 1).inputs["interactions"].attr
    assert divided.shape == (4, -(-weights.size // 4))


def test_a_run_on_four_devices_goes_on_on_three_and_then_on_one(indivisible_data, tmp_path):
    """With sharded tables: to the parameters of a run on one device."""
    recommender = lightgcn(LightGCNConfig(dim=8), indivisible_data, batch_size=12)

    def train(n_devices, epochs, folder):
        trainer = make_trainer(recommender, ADAM, (1, -1), devices=jax.devices()[:n_devices])
        fit(trainer, lambda params: {"auc": 0.5}, TrainingConfig(12, epochs, patience=9), 0, tmp_path / folder)
        checkpoints = Checkpoints(tmp_path / folder / "checkpoints", "auc", padded=True)
        like = jax.eval_shape(recommender.init, jax.random.key(0))
        return checkpoints.restore_params(checkpoints.latest, like)

    train(4, 1, "resumed")
    train(3, 2, "resumed")
    found, expected = train(1, 3, "resumed"), train(1, 3, "alone")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected)


@pytest.mark.parametrize("way", WAYS)
def test_steps_donate_their_state_and_need_nothing_from_the_host(indivisible_data, way):
    trainer = make_trainer(MODELS["lightgcn"](indivisible_data), ADAM, *WAYS[way])
    state, order = trainer.init(jax.random.key(0)), trainer.epoch_order(jax.random.key(1))
    n_steps, key = jnp.int32(2), jax.random.key(2)
    state = jax.block_until_ready(trainer.train_steps(state, order, n_steps, key))
    with jax.transfer_guard("disallow"):
        after = jax.block_until_ready(trainer.train_steps(state, order, n_steps, key))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    before, now = (jax.tree.map(lambda leaf: leaf.sharding, tree) for tree in (state, after))
    assert jax.tree.leaves(before) == jax.tree.leaves(now)
    if WAYS[way][0] == (4, 1):
        assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(after))


@pytest.mark.parametrize("way", WAYS)
def test_train_steps_compile_once(indivisible_data, way):
    recommender, traces = MODELS["lightgcn"](indivisible_data), []

    def loss(*args):
        traces.append(args)
        return recommender.loss(*args)

    trainer = make_trainer(recommender._replace(loss=loss), ADAM, *WAYS[way])
    state, order = trainer.init(jax.random.key(0)), trainer.epoch_order(jax.random.key(1))
    state, n_traces = trainer.train_steps(state, order, jnp.int32(1), jax.random.key(2)), len(traces)
    for n_steps in (2, 1):
        state = trainer.train_steps(state, order, jnp.int32(n_steps), jax.random.key(2))
    assert len(traces) == n_traces


def test_a_state_that_no_memory_holds_is_refused_before_it_is_made(tiny_data):
    with pytest.raises(InputError, match=r"parameters and moments take [\d,]+ GB of the [\d,]+ GB that a device has"):
        make_trainer(lightgcn(LightGCNConfig(dim=2**31), tiny_data, batch_size=32), ADAM)


def test_a_batch_that_does_not_divide_is_refused(tiny_data):
    recommender = hkrm(HKRMConfig(dim=8), tiny_data, batch_size=30)
    with pytest.raises(InputError, match="batch_size 30: not divisible by 4 devices"):
        make_trainer(recommender, ADAM, (4, 1))


def test_tables_of_a_model_without_shards_are_not_divided(tiny_data):
    recommender = MODELS["popularity"](tiny_data)
    with pytest.raises(InputError, match=r"mesh: \(1, 4\) divides tables by rows, which this model does not support"):
        make_trainer(recommender._replace(batches=MODELS["hkrm"](tiny_data).batches), ADAM, (1, 4))
