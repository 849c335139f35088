"""The library's second door: training on tables, loading and evaluating as functions of Python objects.

model = hkjax.fit(ratings, films, model="hkrm")
hkjax.recommend(model, ["u196"], top_k=10)
"""

import contextlib
import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hkjax.choices import adapter, override, tables_config
from hkjax.data.config import TablesConfig
from hkjax.data.read import dataset_from_tables
from hkjax.errors import InputError, nearest
from hkjax.evaluation.evaluate import EvaluationConfig
from hkjax.evaluation.evaluate import evaluate as evaluate_params
from hkjax.experiment import prepare_for, read_experiment
from hkjax.models.link.config import LINKConfig
from hkjax.models.registry import CONFIGS
from hkjax.runs import load_workdir, train_experiment
from hkjax.serving.trained import TrainedModel, load_model

_ARGUMENTS = ("items", "model", "workdir", "settings", "budget")
_OPTIONS = {field.name for field in dataclasses.fields(TablesConfig)} - {"interactions", "items"}


def fit(
    interactions: Any,
    items: Any = None,
    model: str = "auto",
    workdir: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    budget: float | None = None,
    **sources: Any,
) -> TrainedModel:
    """Trains on a person's tables, with the choices of `hkjax train`.

    Args:
        interactions: users, items and maybe ratings and times: a data frame, a mapping of columns, or files.
        items: one row an item: its id, name and attributes; None for none.
        model: `auto`, the best in closed form on the validation part; or one by name, such as `link`, `hkrm` or `hakg`.
        budget: seconds to search for settings on the validation part; None for 90 in all with `auto`, 60 otherwise.
        workdir: keeps checkpoints, records and data, so that the same call resumes; None keeps nothing.
        settings: values for keys of the configuration, such as {"training.epochs": 5}.
        **sources: further sources, `triples`, `links`, `names`, `validation` and `test`, and how to read the tables,
            `columns`, `header` and `separator`, as in `TablesConfig`.

    Raises:
        InputError: a table, a model or a setting is not as it should be.

    Example:
        >>> ratings = {"user": ["a", "a", "b", "b"] * 9, "item": [str(i) for i in range(36)]}
        >>> model = fit(ratings, model="lightgcn", settings={"training.epochs": 1})
        >>> recommend(model, ["a"], top_k=2).column_names
        ['user', 'rank', 'item', 'name', 'score', 'because']
    """
    models, auto = {"auto": LINKConfig, **CONFIGS}, 0.0
    if model not in models:
        raise InputError(f"unknown model {model!r}{nearest(model, models)}; choose one of {', '.join(models)}")
    for name in sources.keys() - _OPTIONS:
        raise InputError(f"fit: unknown argument {name!r}{nearest(name, {*_OPTIONS, *_ARGUMENTS})}")
    reading = {name: sources.pop(name) for name in ("columns", "header", "separator") if name in sources}
    settings, config = dict(settings or {}), tables_config(models[model]()).to_dict()
    if model == "auto":
        settings["model.search"], auto = 0.0, 90.0 if budget is None else budget
    elif budget is not None:
        settings["model.search"] = budget
    config = override(config, settings)
    config = override(config, {f"data.tables.{name}": value for name, value in reading.items()})
    experiment = read_experiment(config)
    data = dataset_from_tables(interactions, items, config=experiment.data, seed=experiment.seed, **sources)
    data = prepare_for(experiment, data)
    with tempfile.TemporaryDirectory() if workdir is None else contextlib.nullcontext(str(workdir)) as folder:
        train_experiment(experiment, Path(folder), data, adapter(config, settings), auto)
        return load(folder)


def load(workdir: str | Path) -> TrainedModel:
    """Loads the best parameters of a work directory, and computes its users and items.

    Raises:
        InputError: the directory holds no finished checkpoint.
    """
    trained = load_workdir(Path(workdir))
    return load_model(trained.data, trained.recommender, trained.params)


def evaluate(model: TrainedModel, config: EvaluationConfig | None = None, seed: int = 0) -> dict[str, float]:
    """Measures a model on its test part.

    Args:
        model: from `fit` or `load`.
        config: what to measure.
        seed: of the bootstrap.

    Returns:
        The metrics by name, such as `recall@20`.
    """
    results, _ = evaluate_params(model.recommender, model.params, model.data, config or EvaluationConfig(), seed)
    return dict(results["metrics"])
