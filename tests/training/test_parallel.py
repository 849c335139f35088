"""Four devices do what one does, each with its share of the work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.data.sampling import shuffle
from hkjax.errors import InputError
from hkjax.models.base import split
from hkjax.models.hakg import HAKGConfig, hakg
from hkjax.models.hkrm import HKRMConfig, hkrm
from hkjax.training.parallel import make_runner
from hkjax.training.state import OptimizerConfig, create_state, make_optimizer

# Plain SGD: Adam would hide a gradient that is wrong by a factor. Which edges a device drops is its own
# affair, so that equality is of steps that keep all.
SGD = OptimizerConfig(name="sgd", learning_rate=1.0)
KEEP = {"dim": 8, "layers": 2, "negatives": 5, "edge_keep": 1.0, "interaction_keep": 1.0}
MODELS = {
    "hkrm": lambda data: hkrm(HKRMConfig(dim=8), data, batch_size=32),
    "hakg": lambda data: hakg(HAKGConfig(**KEEP, message_dropout=0.1, normalize_layers=True), data, batch_size=32),
}


@pytest.fixture(params=MODELS, scope="module")
def recommender(request, tiny_data):
    return MODELS[request.param](tiny_data)


def initial(recommender):
    optimizer = make_optimizer(SGD, recommender.batches.steps_per_epoch)
    return optimizer, jax.jit(lambda key: create_state(recommender, optimizer, key))(jax.random.key(0))


def after_two_steps(recommender, parallel):
    optimizer, state = initial(recommender)
    runner, order = make_runner(recommender, optimizer, parallel), shuffle(recommender.batches, jax.random.key(1))
    return jax.tree.map(np.asarray, runner.run(runner.place(state), order, jnp.int32(2), jax.random.key(2)))


@pytest.fixture(scope="module")
def alone(recommender):
    return after_two_steps(recommender, "none")


@pytest.mark.parametrize("parallel", ["pmap", "shard_map"])
def test_losses_and_gradients_are_those_of_one_device(recommender, alone, parallel):
    assert jax.device_count() == 4
    _, start = initial(recommender)
    one, four = alone, after_two_steps(recommender, parallel)
    for name, total in one.sums.items():
        np.testing.assert_allclose(four.sums[name], total, rtol=1e-6, err_msg=name)

    def compare(path, before, a, b):
        scale = np.abs(a - before).max()
        assert scale > 0 or not path, f"{path}: no gradient"
        np.testing.assert_allclose(b - before, a - before, atol=1e-6 * scale + 1e-7, err_msg=str(path))

    jax.tree_util.tree_map_with_path(compare, start.params, one.params, four.params)


def test_each_device_holds_a_quarter_of_the_edges(tiny_data):
    whole = MODELS["hakg"](tiny_data)
    shares = split(whole, 4)
    for name in ("edges", "interactions", "pairs"):
        n_edges, rows = getattr(whole.inputs, name).rows.size, getattr(shares.inputs, name).rows
        assert rows.shape == (4, -(-n_edges // 4)), name
    assert shares.inputs.relation.shape == shares.inputs.edges.rows.shape
    whole = MODELS["hkrm"](tiny_data)
    n_values = int((whole.inputs.values.forward.members < 10**9).sum())
    assert split(whole, 4).inputs.values.forward.members[0].size < 0.5 * n_values


@pytest.mark.parametrize("parallel", ["none", "pmap", "shard_map"])
def test_steps_donate_their_state_and_need_nothing_from_the_host(tiny_data, parallel):
    recommender = MODELS["hkrm"](tiny_data)
    optimizer, state = initial(recommender)
    runner, order = make_runner(recommender, optimizer, parallel), shuffle(recommender.batches, jax.random.key(1))
    state, n_steps, key = runner.place(state), jnp.int32(2), jax.random.key(2)
    state = jax.block_until_ready(runner.run(state, order, n_steps, key))
    with jax.transfer_guard("disallow"):
        after = jax.block_until_ready(runner.run(state, order, n_steps, key))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    if parallel != "none":
        assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(after))


def test_a_batch_that_does_not_divide_is_refused(tiny_data):
    recommender = hkrm(HKRMConfig(dim=8), tiny_data, batch_size=30)
    with pytest.raises(InputError, match="batch_size 30: not divisible by 4 devices"):
        make_runner(recommender, initial(recommender)[0], "pmap")
