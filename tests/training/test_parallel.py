"""Four devices do what one does, each with its share of the work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from hkjax.errors import InputError
from hkjax.models.base import split
from hkjax.models.hakg import hakg
from hkjax.models.hakg_config import OFFICIAL, HAKGConfig
from hkjax.models.hkrm import hkrm
from hkjax.models.hkrm_config import HKRMConfig
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.training.parallel import make_runner
from hkjax.training.state import OptimizerConfig, make_optimizer

# Plain SGD: Adam would hide a gradient that is wrong by a factor. Which edges a device drops is its own
# affair, so that equality is of steps that keep all.
SGD = OptimizerConfig(name="sgd", learning_rate=1.0)
KEEP = {"dim": 8, "layers": 2, "negatives": 5, "edge_keep": 1.0, "interaction_keep": 1.0}
MODELS = {
    "hkrm": lambda data: hkrm(HKRMConfig(dim=8), data, batch_size=32),
    "hakg": lambda data: hakg(HAKGConfig(**KEEP, normalize_layers=True), data, batch_size=32),
    "lightgcn": lambda data: lightgcn(LightGCNConfig(dim=8), data, batch_size=32),
}


@pytest.fixture(params=MODELS, scope="module")
def recommender(request, tiny_data):
    return MODELS[request.param](tiny_data)


WAYS = {"pmap": ("pmap", False), "shard_map": ("shard_map", False), "tables": ("shard_map", True)}


def runner_of(recommender, *way):
    return make_runner(recommender, make_optimizer(SGD, recommender.batches.steps_per_epoch), *way)


def after_two_steps(recommender, *way):
    """Parameters before and after, what they encode, and the sums of the metrics, without what fills up."""
    runner, whole = runner_of(recommender, *way), jax.eval_shape(recommender.init, jax.random.key(0))

    def cut(tree, whole):
        return jax.tree.map(lambda x, like: np.asarray(x)[: like.shape[0]], tree, whole)

    state = runner.init(jax.random.key(0))
    before = cut(runner.params(state), whole)
    state = runner.run(state, runner.shuffle(jax.random.key(1)), jnp.int32(2), jax.random.key(2))
    params, evaluated = runner.params(state), runner.recommender
    encoded = jax.eval_shape(recommender.encode, whole, recommender.inputs)
    representation = jax.jit(evaluated.encode)(params, evaluated.inputs)
    sums = jax.tree.map(np.asarray, state.sums)
    return before, cut(params, whole), cut(representation, encoded), sums


@pytest.fixture(scope="module")
def alone(recommender):
    return after_two_steps(recommender, "none")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_losses_and_gradients_are_those_of_one_device(recommender, alone, way):
    assert jax.device_count() == 4
    before, one, encoded, sums = alone
    start, four, encoded_by_four, sums_of_four = after_two_steps(recommender, *way)
    jax.tree.map(np.testing.assert_array_equal, before, start)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), encoded, encoded_by_four)
    for name, total in sums.items():
        np.testing.assert_allclose(sums_of_four[name], total, rtol=1e-6, err_msg=name)

    def compare(path, before, a, b):
        scale = np.abs(a - before).max()
        assert scale > 0, f"{path}: no gradient"
        np.testing.assert_allclose(b - before, a - before, atol=1e-6 * scale + 1e-7, err_msg=str(path))

    jax.tree_util.tree_map_with_path(compare, before, one, four)


def test_each_device_holds_its_rows_of_the_tables_and_of_their_moments(tiny_data):
    recommender = MODELS["hakg"](tiny_data)
    runner = make_runner(recommender, make_optimizer(OptimizerConfig(), 1), "shard_map", shard_embeddings=True)
    state = runner.init(jax.random.key(0))
    whole = jax.eval_shape(recommender.init, jax.random.key(0))["params"]
    for tree in (state.params, state.opt_state[0].mu, state.opt_state[0].nu):
        for name in ("user", "entity", "item"):
            table, n_rows = tree["params"][name], whole[name].shape[0]
            held = [shard.data.shape[0] for shard in table.addressable_shards]
            assert held == [-(-n_rows // 4)] * 4, name
    assert state.params["params"]["item_gate"].sharding.is_fully_replicated


def official(data):
    return hakg(HAKGConfig(dim=8, layers=2, negatives=5, **OFFICIAL), data, batch_size=32)


@pytest.mark.parametrize("model", [*MODELS.values(), official], ids=[*MODELS, "official"])
def test_no_device_has_a_whole_table_while_it_takes_a_step(tiny_data, model):
    assert not whole_tables(model(tiny_data), tiny_data, shard_embeddings=True)
    assert whole_tables(model(tiny_data), tiny_data, shard_embeddings=False)


def whole_tables(recommender, data, shard_embeddings):
    """The shapes of arrays, in what a device does in a step, that are not smaller than the smallest table."""
    runner = runner_of(recommender, "shard_map", shard_embeddings)
    state, order = runner.init(jax.random.key(0)), runner.shuffle(jax.random.key(1))
    step = jax.make_jaxpr(runner.run)(state, order, jnp.int32(1), jax.random.key(2))
    (on_a_device,) = (e.params["jaxpr"] for e in every_equation(step.jaxpr) if e.primitive.name == "shard_map")
    shapes = {variable.aval.shape for e in every_equation(on_a_device) for variable in e.outvars}
    return {shape for shape in shapes if shape[-1:] == (8,) and shape[0] >= data.n_items}


def every_equation(jaxpr):
    """Those of a program and of all within."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from every_equation(inner)


def test_each_device_holds_a_quarter_of_the_edges(tiny_data):
    whole = MODELS["hakg"](tiny_data)
    shares = split(whole, 4, divide_tables=False)
    for name in ("edges", "interactions", "pairs"):
        n_edges, rows = getattr(whole.inputs, name).rows.size, getattr(shares.inputs, name).rows
        assert rows.shape == (4, -(-n_edges // 4)), name
    assert shares.inputs.relation.shape == shares.inputs.edges.rows.shape
    whole = MODELS["hkrm"](tiny_data)
    n_values = int((whole.inputs.values.forward.members < 10**9).sum())
    assert split(whole, 4, divide_tables=False).inputs.values.forward.members[0].size < 0.5 * n_values


@pytest.mark.parametrize("way", [("none",), *WAYS.values()], ids=["none", *WAYS])
def test_steps_donate_their_state_and_need_nothing_from_the_host(tiny_data, way):
    runner = runner_of(MODELS["hkrm"](tiny_data), *way)
    state, order = runner.init(jax.random.key(0)), runner.shuffle(jax.random.key(1))
    n_steps, key = jnp.int32(2), jax.random.key(2)
    state = jax.block_until_ready(runner.run(state, order, n_steps, key))
    with jax.transfer_guard("disallow"):
        after = jax.block_until_ready(runner.run(state, order, n_steps, key))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    before, now = (jax.tree.map(lambda leaf: leaf.sharding, tree) for tree in (state, after))
    assert jax.tree.leaves(before) == jax.tree.leaves(now)
    if way in (WAYS["pmap"], WAYS["shard_map"]):
        assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(after))


def test_a_batch_that_does_not_divide_is_refused(tiny_data):
    recommender = hkrm(HKRMConfig(dim=8), tiny_data, batch_size=30)
    with pytest.raises(InputError, match="batch_size 30: not divisible by 4 devices"):
        runner_of(recommender, "pmap")


def test_tables_are_not_sharded_without_other_devices(tiny_data):
    with pytest.raises(InputError, match="shard_embeddings: needs parallel=pmap or shard_map"):
        runner_of(MODELS["hkrm"](tiny_data), "none", True)
