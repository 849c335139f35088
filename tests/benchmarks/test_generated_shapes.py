"""Shapes for a graph that nobody made are those of one that was made."""

import dataclasses
import importlib
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks.generated_shapes import Sizes, enlarge, grow, parse_sizes
from hkjax.data.dataset import Interactions
from hkjax.errors import InputError
from hkjax.experiment import Experiment
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.training.loop import TrainingConfig
from hkjax.training.partition import make_mesh


@pytest.fixture
def programs_on(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("compile_for").programs_on


def repeated(data, interactions, triples):
    """As many times the interactions and triples, of the same users, items and entities."""
    train = Interactions(*(np.tile(x, interactions) for x in data.train))
    return dataclasses.replace(data, train=train, triples=np.tile(data.triples, (triples, 1)))


@pytest.mark.parametrize("shape", [(1, 1), (2, 2)])
@pytest.mark.parametrize("sampling", ["full", "neighbours"])
@pytest.mark.parametrize("config", [HAKGConfig, HKRMConfig])
def test_shapes_grow_as_those_of_larger_data(config, sampling, shape, tiny_data, programs_on):
    model = config(dim=8, sampling=sampling)
    experiment = Experiment(model=model, training=TrainingConfig(batch_size=8))
    # HKRM counts a repeated triple once.
    mesh, larger = make_mesh(shape), repeated(tiny_data, 4, 1 if model.name == "hkrm" else 4)
    n_edges, n_positives = 2 * len(larger.triples), larger.train.positives().users.size
    sizes = Sizes(41, 26, tiny_data.n_entities + 1, n_edges, n_positives)
    _, expected = programs_on(mesh, experiment, enlarge(larger, sizes))
    _, small = programs_on(mesh, experiment, enlarge(tiny_data, sizes))

    def compare(path, found, expected):
        assert found.dtype == expected.dtype, path
        # Padding grows with the rest, and longest histories more than all.
        tolerance = 0.3 if "layout" in jax.tree_util.keystr(path) else 0.1
        np.testing.assert_allclose(found.shape, expected.shape, rtol=tolerance, atol=4, err_msg=str(path))

    jax.tree_util.tree_map_with_path(compare, grow(small, tiny_data, sizes), expected)


def test_evaluation_has_shapes_of_every_user(tiny_data, programs_on):
    experiment = Experiment(model=HAKGConfig(dim=8), training=TrainingConfig(batch_size=8))
    programs, arguments = programs_on(make_mesh((2, 2)), experiment, tiny_data)
    representation = jax.eval_shape(programs["encode"], arguments.state.params, arguments.inputs)
    assert any(len(x) == tiny_data.n_users for x in jax.tree.leaves(representation))


def test_all_sizes_must_be_named():
    named = "users=1e6,items=2e5,entities=3e6,edges=4e7,interactions=5e6"
    assert parse_sizes(named) == (1_000_000, 200_000, 3_000_000, 40_000_000, 5_000_000)
    for wrong in ("users=1", named + ",more=1", named.replace("1e6", "many")):
        with pytest.raises(InputError, match="--sizes: expected numbers of users, items, entities"):
            parse_sizes(wrong)


def test_less_than_there_is_is_refused(tiny_data):
    with pytest.raises(InputError, match="fewer users, items or other entities"):
        enlarge(tiny_data, Sizes(39, 25, 1000, 1000, 1000))
