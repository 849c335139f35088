"""Four devices do what one does, each with its share of the work."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hkjax.models.devices import Devices
from hkjax.training.placement import Placement
from jax.extend.core import jaxprs_in_params
from jax.sharding import PartitionSpec as P

from hkjax.data.read import DataConfig
from hkjax.data.synthetic import SyntheticConfig, synthetic_dataset
from hkjax.errors import InputError
from hkjax.models.base import AXIS, split
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hakg.parameters import HAKG
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.training.checkpoint import Checkpoints
from hkjax.training.loop import TrainingConfig, fit
from hkjax.training.state import OptimizerConfig, make_optimizer
from hkjax.training.trainer import make_trainer

# Plain SGD: Adam would hide a gradient that is wrong by a factor. Which edges a device drops is its own
# affair, and where tables are divided which of its rows too, so that equality is of steps that keep all.
SGD = OptimizerConfig(name="sgd", learning_rate=1.0)
KEEP = {"dim": 8, "layers": 2, "negatives": 5, "edge_keep": 1.0, "interaction_keep": 1.0}
MODELS = {
    "hkrm": lambda data: hkrm(HKRMConfig(dim=8), data, batch_size=32),
    "hakg": lambda data: hakg(HAKGConfig(**KEEP, normalize_layers=True), data, batch_size=32),
    "hakg official": lambda data: hakg(HAKGConfig(dim=8, layers=2, negatives=5, **OFFICIAL), data, batch_size=32),
    "lightgcn": lambda data: lightgcn(LightGCNConfig(dim=8), data, batch_size=32),
}
WAYS = {"pmap": ("pmap", False), "shard_map": ("shard_map", False), "tables": ("shard_map", True)}
EQUAL = ("hkrm", "hakg", "lightgcn")


@pytest.fixture(scope="module")
def data():
    """41 users and 26 items: neither they nor their interactions and entities are divisible by 4."""
    config = SyntheticConfig(n_users=41, n_items=26, n_fields=3, n_values=5, positives=5.0, coverage=0.7)
    data = synthetic_dataset(config, DataConfig(), seed=1)
    sizes = (data.n_users, data.n_items, data.n_entities, data.train.positives().users.size, len(data.triples))
    assert all(size % 4 for size in sizes), sizes
    return data


def trainer_of(recommender, *way):
    return make_trainer(recommender, make_optimizer(SGD, recommender.batches.steps_per_epoch), *way)


def without_filling(tree, like):
    """Cuts off what fills tables up, which is 0."""

    def cut(x, like):
        x = np.asarray(x)
        assert (x[like.shape[0] :] == 0).all()
        return x[: like.shape[0]]

    return jax.tree.map(cut, tree, like)


def after_two_steps(recommender, *way):
    """Parameters before and after, the sums of the metrics, and what the divided or the one model encodes."""
    trainer, whole = trainer_of(recommender, *way), jax.eval_shape(recommender.init, jax.random.key(0))
    state = trainer.init(jax.random.key(0))
    before = without_filling(trainer.params(state), whole)
    state = trainer.train_steps(state, trainer.epoch_order(jax.random.key(1)), jnp.int32(2), jax.random.key(2))
    params, evaluated, representation = trainer.params(state), trainer.recommender, None
    if way in (("none",), WAYS["tables"]):
        encoded = jax.eval_shape(recommender.encode, whole, recommender.inputs)
        representation = jax.jit(evaluated.encode)(params, evaluated.inputs)
        representation = jax.tree.map(lambda x, like: np.asarray(x)[: like.shape[0]], representation, encoded)
    return before, without_filling(params, whole), jax.tree.map(np.asarray, state.metric_sums), representation


@pytest.fixture(scope="module")
def recommender(data):
    """model -> the recommender."""
    return functools.cache(lambda model: MODELS[model](data))


@pytest.fixture(scope="module")
def alone(recommender):
    """model -> what one device makes of it."""
    return functools.cache(lambda model: after_two_steps(recommender(model), "none"))


@pytest.mark.parametrize("model", EQUAL)
@pytest.mark.parametrize("way", WAYS)
def test_losses_and_gradients_are_those_of_one_device(recommender, alone, model, way):
    assert jax.device_count() == 4
    before, one, sums, encoded = alone(model)
    start, four, sums_of_four, encoded_by_four = after_two_steps(recommender(model), *WAYS[way])
    jax.tree.map(np.testing.assert_array_equal, before, start)
    if way == "tables":
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), encoded, encoded_by_four)
    for name, total in sums.items():
        np.testing.assert_allclose(sums_of_four[name], total, rtol=1e-6, err_msg=name)

    def compare(path, before, a, b):
        scale = np.abs(a - before).max()
        assert scale > 0, f"{path}: no gradient"
        np.testing.assert_allclose(b - before, a - before, atol=1e-6 * scale + 1e-7, err_msg=str(path))

    jax.tree_util.tree_map_with_path(compare, before, one, four)


def test_each_device_holds_its_rows_of_the_tables_and_of_their_moments(data):
    hakg = MODELS["hakg"](data)
    trainer = make_trainer(hakg, make_optimizer(OptimizerConfig(), 1), "shard_map", shard_embeddings=True)
    state = trainer.init(jax.random.key(0))
    whole = jax.eval_shape(hakg.init, jax.random.key(0))["params"]
    for tree in (state.params, state.opt_state[0].mu, state.opt_state[0].nu):
        for name in ("user", "entity", "item"):
            table, n_rows = tree["params"][name], whole[name].shape[0]
            held = [shard.data.shape[0] for shard in table.addressable_shards]
            assert held == [-(-n_rows // 4)] * 4, name
    assert state.params["params"]["item_gate"].sharding.is_fully_replicated


@pytest.mark.parametrize("model", ["hkrm", "hakg", "hakg official", "lightgcn"])
def test_no_device_has_a_whole_table(recommender, data, model):
    assert not whole_tables(recommender(model), data, shard_embeddings=True)
    assert whole_tables(recommender(model), data, shard_embeddings=False)


def whole_tables(recommender, data, shard_embeddings):
    """Shapes of arrays with all rows of a table, and as many numbers, in what a device does in a step and to encode."""
    trainer = trainer_of(recommender, "shard_map", shard_embeddings)
    state, order = (
        jax.eval_shape(trainer.init, jax.random.key(0)),
        jax.eval_shape(trainer.epoch_order, jax.random.key(1)),
    )
    programs = [jax.make_jaxpr(trainer.run)(state, order, jnp.int32(1), jax.random.key(2))]
    if shard_embeddings:
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


@pytest.mark.parametrize("divide_tables", [True, False])
def test_rows_are_dropped_apart_where_they_are_divided_and_alike_where_they_are_not(data, divide_tables):
    config = HAKGConfig(**{**KEEP, "layers": 1}, message_dropout=0.5)
    recommender = hakg(config, data, batch_size=32)
    placement = Placement(recommender, jax.devices(), divide_tables)
    devices = Devices(AXIS, 4 if divide_tables else 1)
    module = HAKG(config, data.n_users, data.n_items, data.n_entities, data.n_relations, devices)

    def first_layer(params, inputs):
        return module.apply(params, inputs, jax.random.key(3), method="propagate").user - params["params"]["user"]

    on_devices = placement.on_shares(first_layer, placement.specs(placement.params), (placement.axes,), P(AXIS))
    params = jax.device_put(
        placement.fill_up(jax.jit(recommender.init)(jax.random.key(0))), placement.shardings(placement.params)
    )
    rows = np.asarray(jax.jit(on_devices)(params, placement.inputs))
    dropped = rows.reshape(4, -1, 8) == 0
    with_history = ~dropped[:2].all(axis=-1).any(axis=0)
    assert with_history.sum() > 3
    assert (dropped[0] != dropped[1])[with_history].any() == divide_tables


def test_a_run_on_four_devices_goes_on_on_three(data, tmp_path):
    """With sharded tables: to the parameters of a run on one device."""
    recommender = lightgcn(LightGCNConfig(dim=8), data, batch_size=12)
    optimizer = make_optimizer(OptimizerConfig(), recommender.batches.steps_per_epoch)

    def train(n_devices, epochs, folder):
        devices = jax.devices()[:n_devices]
        trainer = make_trainer(recommender, optimizer, "shard_map", shard_embeddings=True, devices=devices)
        fit(trainer, lambda params: {"auc": 0.5}, TrainingConfig(12, epochs, patience=9), 0, tmp_path / folder)
        with Checkpoints(tmp_path / folder / "checkpoints", "auc", padded=True) as checkpoints:
            like = jax.eval_shape(recommender.init, jax.random.key(0))
            return checkpoints.restore_params(checkpoints.latest, like)

    train(4, 1, "resumed")
    found, expected = train(3, 2, "resumed"), train(1, 2, "alone")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected)


def every_equation(jaxpr):
    """Those of a program and of all within."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from every_equation(inner)


def test_each_device_holds_a_quarter_of_the_edges(data):
    divided = {"hakg": ("edges", "interactions", "pairs"), "hkrm": ("values",)}
    for model, names in divided.items():
        whole = MODELS[model](data)
        shares = split(whole, 4, divide_tables=False)
        for name in names:
            n_edges, rows = getattr(whole.inputs, name).rows.size, getattr(shares.inputs, name).rows
            assert rows.shape == (4, -(-n_edges // 4)), name
    whole = MODELS["lightgcn"](data)
    shares = split(whole, 4, divide_tables=False)
    assert shares.inputs["weights"].shape == (4, -(-whole.inputs["weights"].size // 4))


@pytest.mark.parametrize("way", [("none",), *WAYS.values()], ids=["none", *WAYS])
def test_steps_donate_their_state_and_need_nothing_from_the_host(recommender, way):
    trainer = trainer_of(recommender("lightgcn"), *way)
    state, order = trainer.init(jax.random.key(0)), trainer.epoch_order(jax.random.key(1))
    n_steps, key = jnp.int32(2), jax.random.key(2)
    state = jax.block_until_ready(trainer.train_steps(state, order, n_steps, key))
    with jax.transfer_guard("disallow"):
        after = jax.block_until_ready(trainer.train_steps(state, order, n_steps, key))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    before, now = (jax.tree.map(lambda leaf: leaf.sharding, tree) for tree in (state, after))
    assert jax.tree.leaves(before) == jax.tree.leaves(now)
    if way in (WAYS["pmap"], WAYS["shard_map"]):
        assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(after))


def test_a_batch_that_does_not_divide_is_refused(tiny_data):
    recommender = hkrm(HKRMConfig(dim=8), tiny_data, batch_size=30)
    with pytest.raises(InputError, match="batch_size 30: not divisible by 4 devices"):
        trainer_of(recommender, "pmap")


def test_tables_are_not_sharded_without_other_devices(tiny_data):
    with pytest.raises(InputError, match="shard_embeddings: needs parallel=pmap or shard_map"):
        trainer_of(MODELS["hkrm"](tiny_data), "none", True)
