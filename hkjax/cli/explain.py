"""Explains why the model would recommend an item to a user, and draws it where the model can (the paper's Figure 5).

hkjax explain --workdir=runs/mine --user=u196 --item=m50
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from absl import flags
from rich.table import Table

from hkjax.cli.output import check_output, make_console, write_table
from hkjax.errors import InputError, nearest, printable
from hkjax.models.registry import MODELS
from hkjax.runs import load_workdir
from hkjax.serving.reasons import co_user_rows, explain_pairs, reason_rows
from hkjax.serving.recommend import item_numbers
from hkjax.serving.terms import score_terms, term_rows
from hkjax.serving.trained import load_model, user_histories

CONFIG: type | None = None
NEEDS = ("workdir", "user", "item")


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "A work directory that training has written.")
    flags.DEFINE_string("user", None, "The user's id.")
    flags.DEFINE_string("item", None, "The item's id.")
    flags.DEFINE_string("output", None, "A new file for the rows, .csv, .jsonl or .parquet.")


def main() -> None:
    """Explains."""
    workdir, output = Path(flags.FLAGS.workdir), check_output(flags.FLAGS.output)
    trained = load_workdir(workdir)
    data, names = trained.data, trained.data.names
    if flags.FLAGS.user not in names.users:
        raise InputError(f"unknown user {flags.FLAGS.user!r}{nearest(flags.FLAGS.user, names.users)}")
    user, item = names.users.index(flags.FLAGS.user), int(item_numbers(data, [flags.FLAGS.item])[0])
    model = load_model(data, trained.recommender, trained.params)
    score = trained.recommender.score_pairs(model.representation, jnp.array([user]), jnp.array([item]))
    reasons = explain_pairs(model, np.array([user]), np.array([item]), [user_histories(data)[user]])
    console = make_console()
    title = f"{names.entities[item]} for {names.users[user]}, score {float(score[0]):.3f}: {reasons[0].sentence}"
    console.print(printable(title))
    fold_in = trained.recommender.fold_in
    exact = fold_in is not None and fold_in.score_parts is not None
    if exact:
        rows = term_rows(model, user, item, score_terms(model, item, user_histories(data)[user]))
    else:
        rows = pa.concat_tables([reason_rows(data, [user], [item], reasons), co_user_rows(model, user, item)])
    if output:
        write_table(rows, output)
    table = Table("kind", "relation", "name", "contribution")
    for row in rows.to_pylist():
        table.add_row(
            row["kind"], printable(row["relation"] or ""), printable(row["name"]), f"{row['contribution']:.4f}"
        )
    console.print(table)
    console.print(
        "these terms add up to the score: what each item of the history adds by each part of the model, and popularity"
        if exact
        else "history: what the score loses without it, to first order; co-user: what another user of the item adds to "
        "the score; attribute: in the model's own measure"
    )
    picture = MODELS[type(trained.experiment.model)].picture_pair
    if picture is not None:
        from hkjax.evaluation.plots import save_picture  # Imported late: it imports matplotlib.

        drawn = picture(model.representation, data, user, item)._replace(name=f"pair_{user}_{item}")
        save_picture(drawn, workdir / "plots")
        console.print(f"drawn in {workdir / 'plots' / drawn.name}.png")
