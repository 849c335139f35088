"""Recommends items by name, with reasons.

hkjax recommend --workdir=runs/mine --users=u196,u22 --top_k=10
hkjax recommend --workdir=runs/mine --like=m50,m172
hkjax recommend --workdir=runs/mine --all_users --output=recommendations.parquet
"""

import sys
from pathlib import Path

import pyarrow as pa
from absl import flags
from rich.progress import Progress

from hkjax.cli.output import check_output, print_table, write_table
from hkjax.errors import InputError, nearest, printable
from hkjax.runs import load_workdir
from hkjax.serving.recommend import recommend, recommend_like
from hkjax.serving.trained import TrainedModel, load_model

CONFIG: type | None = None
NEEDS = ("workdir",)


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "A work directory that training has written.")
    flags.DEFINE_list("users", None, "Ids of users, separated by commas, or @FILE with one on each line.")
    flags.DEFINE_bool("all_users", False, "Recommend to every user of the data.")
    flags.DEFINE_list("like", None, "Ids of items liked by a person who is not in the data, or @FILE.")
    flags.DEFINE_integer("top_k", 10, "Items per user.", lower_bound=1)
    flags.DEFINE_list("candidates", None, "Ids of the items to choose among, or @FILE; default all.")
    flags.DEFINE_list("exclude", None, "Ids of items to leave out, or @FILE.")
    flags.DEFINE_bool("include_seen", False, "Also recommend items that the user interacted with.")
    flags.DEFINE_bool("reasons", True, "Print reasons.")
    flags.DEFINE_string("output", None, "A new file, .csv, .jsonl or .parquet, instead of the terminal.")


def main() -> None:
    """Recommends."""
    f = flags.FLAGS
    if sum((f.users is not None, f.all_users, f.like is not None)) != 1:
        raise InputError("name one of --users=ID,ID, --users=@FILE, --all_users and --like=ID,ID")
    users, like, candidates, exclude = map(read_ids, (f.users, f.like, f.candidates, f.exclude))
    output = check_output(f.output)
    trained = load_workdir(Path(f.workdir))
    model = load_model(trained.data, trained.recommender, trained.params)
    if f.like is not None:
        table = recommend_like(model, like, f.top_k, candidates, exclude, f.include_seen, f.reasons)
    else:
        table = _recommend(model, trained.data.names.users if f.all_users else users, candidates, exclude)
    left_out = {*users} - {*table["user"].to_pylist()} if f.users is not None else set()
    if left_out or not len(table):
        print(f"no item is left for {', '.join(sorted(left_out)[:5]) or 'anybody'}", file=sys.stderr)
    write_table(table, output) if output else print_table(table)


def _recommend(model: TrainedModel, users: list[str], candidates: list[str], exclude: list[str]) -> pa.Table:
    f, known = flags.FLAGS, {*model.data.names.users}
    unknown = [user for user in users if user not in known]
    if unknown:
        listed = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        hint = nearest(unknown[0], model.data.names.users)
        notice = f"{len(unknown)} of {len(users)} users are unknown and get popular items: {listed}{hint}"
        print(printable(notice), file=sys.stderr)
    with Progress(disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("users", total=len(users))
        return recommend(
            model,
            users,
            f.top_k,
            candidates,
            exclude,
            f.include_seen,
            f.reasons,
            progress=lambda done: bar.update(task, completed=done),
        )


def read_ids(values: list[str] | None) -> list[str]:
    """Returns the ids of a flag: its values, or the lines of its @FILE.

    Raises:
        InputError: the file can't be read or holds no id.
    """
    if not values or not values[0].startswith("@"):
        return values or []
    path = Path(values[0][1:])
    try:
        ids = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8") from error
    found = [line.strip() for line in ids if line.strip()]
    if not found:
        raise InputError(f"{path}: holds no id")
    return found
