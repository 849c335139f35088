"""Describes your tables, their problems, and whether hyperbolic space suits the graph; writes a configuration.

hkjax inspect --interactions=ratings.csv --items=items.csv
hkjax inspect --interactions=ratings.csv --items=items.csv --model=hakg --write_config=mine.py
"""

from pathlib import Path
from typing import Any

from absl import flags
from rich.table import Table

from hkjax.choices import choose, tables_config
from hkjax.cli.output import make_console
from hkjax.cli.tables import data_config, define_table_flags, given_tables
from hkjax.data.description import QUANTILES, Description, describe
from hkjax.data.read import read_dataset
from hkjax.errors import InputError, printable
from hkjax.experiment import read_experiment
from hkjax.geometry.hyperbolicity import Hyperbolicity, estimate_hyperbolicity
from hkjax.models.registry import CONFIGS

CONFIG: type | None = None
NEEDS = ("interactions",)
_MOST_RELATIONS = 30
_QUANTILES = {0: "least", 0.25: "a quarter has at most", 0.5: "half", 0.75: "three quarters", 1: "most"}


def define_flags() -> None:
    """Defines the flags."""
    define_table_flags()
    flags.DEFINE_enum("model", "hakg", list(CONFIGS), "The model of the configuration.")
    flags.DEFINE_string("write_config", None, "A new file for the configuration that the tables suggest.")


def main() -> None:
    """Describes the tables; writes the configuration."""
    f, tables = flags.FLAGS, given_tables()
    if f.write_config and Path(f.write_config).exists():
        raise InputError(f"--write_config={f.write_config}: exists already; choose another name")
    base = tables_config(CONFIGS[f.model]())
    experiment = read_experiment(base)
    data = read_dataset(data_config(tables, experiment.data), experiment.seed)
    hyperbolicity = estimate_hyperbolicity(data.triples[:, [0, 2]], data.n_entities) if len(data.triples) else None
    print_description(describe(data), hyperbolicity)
    if f.write_config:
        Path(f.write_config).write_text(config_file(f.model, tables, choose(experiment.model, data)))
        print(f"\nhkjax train --config={f.write_config} --workdir=runs/mine trains this configuration")


def print_description(description: Description, hyperbolicity: Hyperbolicity | None) -> None:
    """Prints the description."""
    console = make_console()
    console.print(", ".join(f"{count:,} {name}" for name, count in description.rows.items() if count))
    console.print(f"one of {1 / description.density:,.0f} pairs of a user and an item is a positive\n")
    table = Table("positives", *(_QUANTILES[quantile] for quantile in QUANTILES))
    for name, values in (("of a user", description.histories), ("of an item", description.audiences)):
        table.add_row(name, *(f"{value:,.0f}" for value in values))
    console.print(table)
    if description.relations:
        table = Table("relation", "items with it", "values", "of only one item")
        for relation in description.relations[:_MOST_RELATIONS]:
            share = f"{relation.items:,} ({relation.items / description.rows['items']:.0%})"
            table.add_row(printable(relation.name), share, f"{relation.values:,}", f"{relation.single:,}")
        console.print(table)
    if hyperbolicity is not None:
        h = hyperbolicity
        console.print(
            f"Gromov hyperbolicity of the graph: mean {h.mean:.2f}, largest {h.largest:.1f}, at a mean distance of "
            f"{h.distance:.1f} (four-point condition, Gromov 1987, sampled): "
            + (
                "it is tree-like, and hyperbolic space suits it"
                if h.is_tree_like
                else "it is not tree-like, and hyperbolic space may be no better than a flat one"
            )
        )
    if description.problems:
        console.print("\nworth knowing:")
        for sentence in description.problems:
            console.print(printable(f"- {sentence}"), highlight=False)


def config_file(model: str, tables: dict[str, Any], choices: dict[str, Any]) -> str:
    """Returns the text of a configuration file for the tables."""
    config = CONFIGS[model]
    settings = {**{f"data.tables.{key}": value for key, value in tables.items()}, **choices}
    lines = [f"    config.{key} = {value!r}" for key, value in settings.items()]
    return "\n".join(
        [
            '"""Written by hkjax inspect; every key is explained by hkjax train --help."""',
            "",
            "from hkjax.choices import tables_config",
            f"from {config.__module__} import {config.__name__}",
            "",
            "",
            "def get_config():",
            f"    config = tables_config({config.__name__}())",
            *lines,
            "    return config",
            "",
        ]
    )
