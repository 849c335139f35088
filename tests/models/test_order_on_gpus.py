"""On NVIDIA GPUs gradients are added in the order of their rows: without order, sums differ from run to run."""

import re

import jax
import pytest

from hkjax.data.batching import get_batch
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


@pytest.mark.parametrize("name", CASES)
def test_every_scatter_of_a_step_is_in_order(name, tiny_data):
    build, config = CASES[name]
    model = build(config, tiny_data, 8)
    batch, params = get_batch(model.batches, model.batches.buckets, 0), jax.eval_shape(model.init, jax.random.key(0))
    traced = jax.jit(jax.grad(model.loss, has_aux=True)).trace(params, model.inputs, batch, jax.random.key(0))
    text = traced.lower(lowering_platforms=("cuda",)).as_text()
    in_order = re.findall(r'"stablehlo.scatter"\(.*?indices_are_sorted = (\w+)', text)
    assert in_order
    assert set(in_order) == {"true"}
