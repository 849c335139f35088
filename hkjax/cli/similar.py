"""Prints the items that go with one: the model's recommendations to someone who liked only that item.

hkjax similar --workdir=runs/mine --item=m50
"""

from pathlib import Path

from absl import flags

from hkjax.cli.output import check_output, print_table, write_table
from hkjax.runs import load_workdir
from hkjax.serving.recommend import similar
from hkjax.serving.trained import load_model

CONFIG: type | None = None
NEEDS = ("workdir", "item")


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "A work directory that training has written.")
    flags.DEFINE_string("item", None, "The item's id.")
    flags.DEFINE_integer("top_k", 10, "Items to print.", lower_bound=1)
    flags.DEFINE_string("output", None, "A new file, .csv, .jsonl or .parquet, instead of the terminal.")


def main() -> None:
    """Prints similar items."""
    output = check_output(flags.FLAGS.output)
    trained = load_workdir(Path(flags.FLAGS.workdir))
    model = load_model(trained.data, trained.recommender, trained.params)
    table = similar(model, flags.FLAGS.item, flags.FLAGS.top_k)
    write_table(table, output) if output else print_table(table)
