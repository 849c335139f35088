"""Compares fold-in of users and items that were held out whole with training on them and with popularity.

    python benchmarks/fold_in.py --config=configs/hakg_book_crossing.py --workdir=runs/fold-in --share=0.05

Trains one configuration three times: with all data; without a random share of the users; without a random share of the
items and their knowledge. The held-out users are folded in by their train items. The held-out items enter the catalogue
with their knowledge, which determines their parameters. Prints recall@20 of the test part: of these users; and of these
items, ranked among all items and among themselves. Items are ranked for the users with one of them in test.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import config_flags

from hkjax.cli.run import run
from hkjax.data.dataset import Dataset, Interactions
from hkjax.evaluation.ranking import rank_users
from hkjax.experiment import Experiment, build_model, read_data, read_experiment
from hkjax.models.base import Params, Recommender, Representation
from hkjax.models.popularity import popularity
from hkjax.runs import Trained, load_workdir, train_experiment
from hkjax.serving.trained import user_histories
from hkjax.training.warm_start import warm_start

K = 20


def define_flags() -> None:
    """Defines the flags."""
    config_flags.DEFINE_config_file("config", None, "The experiment.")
    flags.DEFINE_string("workdir", None, "Where the runs' work directories go; they resume.")
    flags.DEFINE_float("share", 0.05, "Of the users, and of the items, that are held out.", 0, 1)
    flags.DEFINE_integer("seed", 0, "Of the choice, and of the runs.")


def main() -> None:
    """Trains and prints the table."""
    experiment = dataclasses.replace(read_experiment(flags.FLAGS.config), seed=flags.FLAGS.seed)
    data, random = read_data(experiment), np.random.default_rng(flags.FLAGS.seed)
    users = random.random(data.n_users) < flags.FLAGS.share
    items = random.random(data.n_items) < flags.FLAGS.share
    of_users, of_items = data.test.select(users[data.test.users]), data.test.select(items[data.test.items])
    seen, popular = data.seen("train", "validation"), popularity(data)
    every = train(experiment, data, "all")
    without_users = train(experiment, restrict(data, lambda rows: ~users[rows.users], 3), "without_users")
    rest = restrict(data, lambda rows: ~items[rows.items], 3)
    without_items = train(experiment, drop_items(rest, items), "without_items")
    grown = build_model(experiment, rest)
    of_grown = encode(grown, warm_start(grown, without_items.recommender, without_items.params).init(jax.random.key(0)))

    print(f"{users.sum()} users held out, {items.sum()} items held out; recall@{K}")
    print("| | fold-in | trained | popularity |\n|---|---|---|---|")
    of_all = encode(every.recommender, every.params)
    of_popularity = encode(popular, popular.init(jax.random.key(0)))
    folded = fold(without_users, data, np.flatnonzero(users))
    row(
        "users",
        recall(without_users.recommender, folded, renumber(of_users, users), renumber(seen, users)),
        recall(every.recommender, of_all, of_users, seen),
        recall(popular, of_popularity, of_users, seen),
    )
    models = ((grown, of_grown), (every.recommender, of_all), (popular, of_popularity))
    row("items", *(recall(model, x, of_items, seen) for model, x in models))
    # Among only the held-out items: all others count as seen.
    others = np.flatnonzero(~items).astype(np.int32)
    who = np.unique(of_items.users)
    alone = Interactions(
        np.repeat(who, len(others)), np.tile(others, len(who)), np.ones(len(who) * len(others), np.int32)
    )
    row("items, alone", *(recall(model, x, of_items, alone) for model, x in models))


def train(experiment: Experiment, data: Dataset, name: str) -> Trained:
    """Trains on the data, and loads the best checkpoint."""
    print(f"-- {name}", flush=True)
    train_experiment(experiment, Path(flags.FLAGS.workdir) / name, data)
    return load_workdir(Path(flags.FLAGS.workdir) / name)


def encode(recommender: Recommender, params: Params) -> Representation:
    """Computes the representation of all users and items."""
    return jax.jit(recommender.encode)(params, recommender.inputs)


def restrict(data: Dataset, keeps: Callable[[Interactions], np.ndarray], n_parts: int) -> Dataset:
    """Returns the data with only some of the rows of its first parts."""
    parts = [data.train, data.validation, data.test]
    parts = [part.select(keeps(part)) if k < n_parts else part for k, part in enumerate(parts)]
    train, validation, test = parts
    return dataclasses.replace(data, train=train, validation=validation, test=test)


def drop_items(data: Dataset, items: np.ndarray) -> Dataset:
    """Returns the data without the items in the mask and without their triples."""
    gone = np.concatenate([items, np.zeros(data.n_entities - data.n_items, bool)])
    number = np.cumsum(~gone) - 1
    triples = data.triples[~gone[data.triples[:, [0, 2]]].any(axis=1)]
    left, names = np.flatnonzero(~gone), data.names
    parts = (
        part._replace(items=number[part.items].astype(np.int32)) for part in (data.train, data.validation, data.test)
    )
    train, validation, test = parts
    return dataclasses.replace(
        data,
        n_items=int((~items).sum()),
        n_entities=len(left),
        train=train,
        validation=validation,
        test=test,
        triples=np.column_stack([number[triples[:, 0]], triples[:, 1], number[triples[:, 2]]]),
        names=names._replace(
            items=[names.items[i] for i in np.flatnonzero(~items)],
            entities=[names.entities[i] for i in left],
            entity_ids=[names.entity_ids[i] for i in left],
        ),
    )


def fold(trained: Trained, data: Dataset, users: np.ndarray) -> Representation:
    """Returns the representation with the given users, by their train items in `data`, instead of the trained ones."""
    fold_in = trained.recommender.fold_in
    assert fold_in is not None
    histories = [user_histories(data)[user] for user in users]
    room = max(map(len, histories))
    items = np.stack([np.pad(history, (0, room - len(history))) for history in histories])
    weights = np.stack([np.arange(room) < len(history) for history in histories]).astype(np.float32)
    prepared = jax.jit(fold_in.prepare)(trained.params, trained.recommender.inputs)
    representation = encode(trained.recommender, trained.params)
    return jax.jit(fold_in.encode_users)(prepared, representation, jnp.asarray(items), jnp.asarray(weights), None)


def renumber(rows: Interactions, users: np.ndarray) -> Interactions:
    """Returns the rows of the users in the mask, with user ids from 0 on."""
    kept = rows.select(users[rows.users])
    return kept._replace(users=(np.cumsum(users) - 1)[kept.users].astype(np.int32))


def recall(model: Recommender, representation: Representation, relevant: Interactions, seen: Interactions) -> float:
    """Computes the mean recall@K."""
    n_items = model.score_all_items(representation, jnp.zeros(1, jnp.int32)).shape[1]
    found = rank_users(model, representation, n_items, relevant.positives(), seen, (K,))
    return float(found.metrics[f"recall@{K}"].mean())


def row(name: str, *values: float) -> None:
    """Prints a row, and the ratio of its first value to its second."""
    fold_in, full, _ = values
    cells = " | ".join(f"{value:.4f}" for value in values)
    print(f"| {name} | {cells} | ({fold_in / full:.1%})")


if __name__ == "__main__":
    run(define_flags, main, __doc__, needs=("workdir",))
