"""Trains a recommender on your tables, or as a configuration says; the same command resumes.

    hkjax train --interactions=ratings.csv --items=items.csv --workdir=runs/mine
    hkjax train --interactions=ratings.csv --items=items.csv --model=hkrm --workdir=runs/mine
    hkjax train --config=mine.py --workdir=runs/mine
    hkjax train --from=runs/mine --workdir=runs/newer

Without a configuration, sizes follow the data; what is chosen is printed, and stands in the work directory's
config.json. --config.KEY=VALUE sets a key in any case.
"""

import dataclasses
import itertools
import re
import sys
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from hkjax.choices import Adapt, adapter, override, tables_config
from hkjax.cli.tables import data_config, define_table_flags, given_tables
from hkjax.errors import InputError
from hkjax.experiment import Experiment, read_experiment
from hkjax.models.link.config import LINKConfig
from hkjax.models.registry import CONFIGS
from hkjax.runs import train_experiment
from hkjax.training.hosts import connect, is_first
from hkjax.training.progress import best_record
from hkjax.training.saving.workdir import flatten, read_config

CONFIG: type | None = Experiment
NEEDS = ("workdir",)
_SHOWN = (
    *("data.split", "data.ratios", "data.negatives", "model.dim", "optimizer.learning_rate"),
    *("training.monitor", "training.epochs", "training.patience"),
)


def define_flags(default_config_file: str | None = None) -> None:
    """Defines the flags.

    Args:
        default_config_file: what to train where neither tables nor a configuration nor --from are given.
    """
    define_table_flags()
    flags.DEFINE_enum(
        "model",
        None,
        ["auto", *CONFIGS],
        "The model to train on the tables; auto, the default, takes the best in closed form on the validation part.",
    )
    flags.DEFINE_string(
        "budget", None, "Time to search for settings on the validation part, such as 60s or 10m; 90s for auto."
    )
    flags.DEFINE_bool("refit", None, "Train also on the validation part, once the settings are chosen.")
    flags.DEFINE_string("from", None, "A work directory to start from: its configuration and its best parameters.")
    flags.DEFINE_string("workdir", None, "Where checkpoints, logs and reports go; training resumes there.")
    flags.DEFINE_string("coordinator", None, "With several processes: HOST:PORT of the first, or auto in a cluster.")
    flags.DEFINE_integer("num_processes", None, "How many processes train together.")
    flags.DEFINE_integer("process_id", None, "Which of them this is, from 0 on.")
    given = _peek("config", "from", "interactions", "workdir", "model")
    if "config" not in given and not {"from", "interactions"} & given.keys() and default_config_file:
        given["config"] = default_config_file
    if "config" in given:
        if not Path(given["config"].partition(":")[0]).is_file():
            raise InputError(f"--config={given['config']}: no such file")
        config_flags.DEFINE_config_file("config", given["config"], "The experiment, a file with get_config().")
    else:
        model = CONFIGS.get(_model_name(given), LINKConfig)
        config_flags.DEFINE_config_dict("config", tables_config(model()), "Keys of the experiment.")


def main() -> None:
    """Trains."""
    connect(flags.FLAGS.coordinator, flags.FLAGS.num_processes, flags.FLAGS.process_id)
    workdir, tables = Path(flags.FLAGS.workdir), given_tables()
    config, flag = flags.FLAGS.config, flags.FLAGS["config"]
    if isinstance(config_flags.get_config_filename(flag), str):
        if flags.FLAGS.model is not None:
            raise InputError("--model is for tables without --config; the configuration names its model")
        _train(_with_tables(read_experiment(config), tables), workdir)
        return
    overrides = config_flags.get_override_values(flag)
    start = flags.FLAGS["from"].value
    before = workdir if (workdir / "config.json").exists() else Path(start) if start else None
    if before is not None:
        mapping = read_config(before)
        name = mapping["model"].get("name")
        if flags.FLAGS.model not in (None, name):
            raise InputError(f"{before}: is of {name}; choose another --workdir for another --model")
        if start:
            overrides["training.initialize_from"] = start
        _train(_with_tables(read_experiment(override(mapping, overrides)), tables), workdir)
    elif not tables:
        raise InputError("name your tables (--interactions=FILE, --items=FILE) or a configuration (--config=FILE)")
    else:
        auto = flags.FLAGS.model in (None, "auto")
        mapping = _with_search(config.to_dict(), overrides, auto)
        _train_on_tables(mapping, tables, overrides, workdir, _seconds(flags.FLAGS.budget or "90s") if auto else 0.0)


def _with_search(config: dict[str, Any], overrides: dict[str, Any], auto: bool) -> dict[str, Any]:
    """Applies --budget and --refit to a configuration of tables."""
    if flags.FLAGS.refit:
        overrides["training.refit"] = True
    if flags.FLAGS.budget is not None and not auto:
        if "search" not in config["model"]:
            raise InputError(f"--budget: {config['model']['name']} has no search for settings")
        overrides["model.search"] = _seconds(flags.FLAGS.budget)
    if auto:
        overrides["model.search"] = 0.0
    return override(config, overrides)


def _seconds(text: str) -> float:
    """Parses a time such as 90, 90s, 10m or 1h.

    Raises:
        InputError: it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if found is None:
        raise InputError(f"--budget={text}: expected a time such as 90s, 10m or 1h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def _train_on_tables(
    config: dict[str, Any], tables: dict[str, Any], overrides: dict[str, Any], workdir: Path, auto: float
) -> None:
    """Reads the tables, chooses what depends on them, and trains."""

    def announce(experiment: Experiment, chosen: dict[str, Any]) -> None:
        if is_first():
            settings = flatten(dataclasses.asdict(experiment))
            shown = {key: settings[key] for key in (*_SHOWN, *chosen) if key in settings}
            print("chosen: " + ", ".join(f"{key} {value}" for key, value in shown.items()))
            if experiment.data.fields:
                print(f"fields: {', '.join(experiment.data.fields)}")

    adapt = adapter(config, overrides, announce)
    _train(_with_tables(read_experiment(config), tables), workdir, adapt, auto)


def _train(experiment: Experiment, workdir: Path, adapt: Adapt | None = None, auto: float = 0.0) -> None:
    """Trains, and says how it ended."""
    records = train_experiment(experiment, workdir, adapt=adapt, auto=auto)
    monitor = experiment.training.monitor
    best = best_record(records, monitor)
    if best is not None and is_first():
        print(
            f"best: epoch {best['epoch']} of {len(records)}, validation {monitor} {best[f'validation_{monitor}']:.4f}"
        )
        print(f"next: hkjax evaluate --workdir={workdir}, hkjax recommend --workdir={workdir} --users=ID")


def _with_tables(experiment: Experiment, tables: dict[str, Any]) -> Experiment:
    return dataclasses.replace(experiment, data=data_config(tables, experiment.data)) if tables else experiment


def _model_name(given: dict[str, str]) -> str:
    """The model of the command line or of the work directory that training resumes from."""
    for name in ("workdir", "from"):
        if name in given and (Path(given[name]) / "config.json").exists():
            return str(read_config(Path(given[name]))["model"].get("name", ""))
    return given.get("model", "")


def _peek(*names: str) -> dict[str, str]:
    """Values of flags before they are parsed: others depend on them."""
    given = {}
    for argument, following in itertools.pairwise([*sys.argv[1:], ""]):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name in names:
            given[name] = value if equals else following
    return given
