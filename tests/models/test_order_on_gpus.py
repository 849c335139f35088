"""On NVIDIA GPUs gradients are added in the order of their rows: without order, sums differ from run to run.

And a step has few loops, of which a GPU's host has to start every round.
"""

import re

import jax
import pytest

from hkjax.data.batching import get_batch
from hkjax.data.config import DataConfig
from hkjax.data.synthetic import SyntheticConfig, synthetic_dataset
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm

CASES = {
    "hakg": (hakg, HAKGConfig(dim=6, layers=2)),
    "hakg, official": (hakg, HAKGConfig(**(OFFICIAL | {"dim": 6, "layers": 2}))),
    "hakg, neighbours": (hakg, HAKGConfig(dim=6, layers=2, sampling="neighbours", fan_outs=(2, 2))),
    "hkrm": (hkrm, HKRMConfig(dim=6, item_bias=True)),
    "hkrm, neighbours": (hkrm, HKRMConfig(dim=6, sampling="neighbours", fan_out=2)),
}


def lowered_gradient(build, config, data, batch_size):
    """What a GPU's compiler is given of the gradient of a loss."""
    model = build(config, data, batch_size)
    batch, params = get_batch(model.batches, model.batches.buckets, 0), jax.eval_shape(model.init, jax.random.key(0))
    traced = jax.jit(jax.grad(model.loss, has_aux=True)).trace(params, model.inputs, batch, jax.random.key(0))
    return traced.lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("name", CASES)
def test_every_scatter_of_a_step_is_in_order(name, tiny_data):
    text = lowered_gradient(*CASES[name], tiny_data, 8)
    in_order = re.findall(r'"stablehlo.scatter"\(.*?indices_are_sorted = (\w+)', text)
    assert in_order
    assert set(in_order) == {"true"}


def test_the_layers_of_the_graph_are_the_only_loops():
    data = synthetic_dataset(SyntheticConfig(), DataConfig(), seed=0)  # Enough for what goes in blocks on CPUs.
    text = lowered_gradient(hakg, HAKGConfig(**(OFFICIAL | {"dim": 6, "layers": 2})), data, 1024)
    assert text.count("stablehlo.while") == 2  # There and back.
