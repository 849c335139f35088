import dataclasses
import runpy
from pathlib import Path

import pytest

from hkjax.config import to_config_dict
from hkjax.errors import InputError
from hkjax.experiment import Experiment, default_config, read_experiment
from hkjax.models.link.config import LINKConfig

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_file_is_valid(path):
    assert isinstance(read_experiment(runpy.run_path(str(path))["get_config"]()), Experiment)


def test_a_configuration_survives_the_way_through_config_dict():
    experiment = Experiment(seed=3)
    assert read_experiment(to_config_dict(experiment)) == experiment
    assert read_experiment(dataclasses.asdict(experiment)) == experiment


def test_a_config_file_cannot_set_an_unknown_key():
    with pytest.raises(AttributeError, match="pooling"):
        default_config().model.poolingg = "mean"


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"model": {"poolin": "mean"}}, r"config.model.poolin: unknown key; did you mean 'pooling'\?"),
        ({"modle": {}}, r"config.modle: unknown key; did you mean 'model'\?"),
        ({"model": {"pooling": "meen"}}, r"unknown value 'meen'; choose one of mean, joint; did you mean 'mean'\?"),
        ({"model": {"dim": "50"}}, r"config.model.dim: expected int, found '50'"),
        ({"model": {"dim": True}}, r"config.model.dim: expected int, found True"),
        ({"model": {"leave_one_out": 1}}, r"expected bool, found 1"),
        ({"optimizer": 3}, r"config.optimizer: expected a mapping"),
        ({"mesh": [1]}, r"config.mesh: expected 2 values, found \[1\]"),
        ({"evaluation": {"ks": ("a",)}}, r"config.evaluation.ks\[0\]: expected int, found 'a'"),
        ({"evaluation": {"ks": (5.5,)}}, r"config.evaluation.ks\[0\]: expected int, found 5.5"),
        ({"model": {"dim": 2**70}}, r"config.model.dim: expected a 64-bit integer"),
        ({"model": {"l2": 1e300}}, r"config.model.l2: expected a float32 value"),
        ({"data": {"ratios": 3}}, r"config.data.ratios: expected tuple"),
        ({"training": {"epochs": 0}}, r"config.training.epochs: expected at least 1, found 0"),
        ({"training": {"patience": 0}}, r"config.training.patience: expected at least 1, found 0"),
        ({"model": {"dim": 0}}, r"config.model.dim: expected at least 1, found 0"),
        (
            {"model": {"name": "hakg", "edge_keep": 2}},
            r"config.model.edge_keep: expected above 0 and at most 1, found 2",
        ),
        ({"model": {"name": "hakg", "message_dropout": 1.0}}, r"expected at least 0 and below 1, found 1.0"),
        ({"optimizer": {"learning_rate": float("nan")}}, r"learning_rate: expected above 0, found nan"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest_right_name(mapping, message):
    with pytest.raises(InputError, match=message):
        read_experiment(mapping)


def test_whole_numbers_serve_as_floats():
    assert read_experiment({"optimizer": {"learning_rate": 1}}).optimizer.learning_rate == 1.0


def test_names_with_dots_are_keys_of_mappings():
    config = default_config(LINKConfig(content={"film.film.genre": 0.1}))
    assert read_experiment(config).model.content == {"film.film.genre": 0.1}
    config.model.content = {"star": 0.2}
    assert read_experiment(config).model.content == {"star": 0.2}
