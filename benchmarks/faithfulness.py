"""Measures how far a score falls when the named reasons are deleted, against random ones and the least.

    python benchmarks/faithfulness.py --workdir=runs/mine --pairs=500

The pairs are random users with at least `--history` positives, with one recommended item each. The train interactions
with three history items are deleted: the three named, three at random, the three that contribute least. The model is
encoded again without them, from the same parameters. Comprehensiveness is the mean fall of the score; sufficiency the
mean fall when only the three are left (DeYoung et al., ERASER, ACL 2020; a small one is good).
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from hkjax.cli.run import run
from hkjax.data.dataset import Dataset
from hkjax.experiment import build_model
from hkjax.models.base import Recommender
from hkjax.runs import load_workdir
from hkjax.serving.contributions import history_contributions
from hkjax.serving.top_items import top_items
from hkjax.serving.trained import load_model, user_histories

_N_DELETED = 3


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("workdir", None, "A work directory that training has written.")
    flags.DEFINE_integer("pairs", 500, "Users, with one item each.", lower_bound=1)
    flags.DEFINE_integer("history", 8, "The least number of positives of a user.", lower_bound=2 * _N_DELETED)
    flags.DEFINE_integer("seed", 0, "Of the choice of users, items and random deletions.")


def main() -> None:
    """Prints the table."""
    trained = load_workdir(Path(flags.FLAGS.workdir))
    data, random = trained.data, np.random.default_rng(flags.FLAGS.seed)
    model = load_model(data, trained.recommender, trained.params)
    histories = user_histories(data)
    long = np.array([user for user in range(data.n_users) if len(histories[user]) >= flags.FLAGS.history])
    users = np.sort(random.permutation(long)[: flags.FLAGS.pairs])
    _, top = top_items(trained.recommender, model.representation, users, data.seen(), np.ones(data.n_items, bool), 10)
    items = top[np.arange(len(users)), random.integers(top.shape[1], size=len(users))].astype(np.int64)
    of_users = [histories[user] for user in users]
    fold_in = trained.recommender.fold_in
    assert fold_in is not None
    prepared = jax.jit(fold_in.prepare)(trained.params, trained.recommender.inputs)
    found = history_contributions(trained.recommender, prepared, model.representation, users, items, of_users)

    def scores(kept: list[np.ndarray]) -> np.ndarray:
        """Returns the scores of the pairs, with only these positions of the histories."""
        rest = {int(user): history[places] for user, history, places in zip(users, of_users, kept, strict=True)}
        recommender = build_model(trained.experiment, keep_histories(data, rest))
        return score(recommender, trained.params, users, items)

    whole = score(trained.recommender, trained.params, users, items)
    orders = {
        "named": [np.argsort(-x, kind="stable") for x in found],
        "random": [random.permutation(len(x)) for x in found],
        "least": [np.argsort(x, kind="stable") for x in found],
    }
    falls = {name: whole - scores([places[_N_DELETED:] for places in order]) for name, order in orders.items()}
    lacks = {name: whole - scores([places[:_N_DELETED] for places in order]) for name, order in orders.items()}
    print(f"{len(users)} pairs; mean score {whole.mean():.4f}, spread {whole.std():.4f}")
    print("| reasons | comprehensiveness | sufficiency | named fall as far or further |\n|---|---|---|---|")
    for name, fall in falls.items():
        # Random reasons may be the named ones.
        beaten = "" if name == "named" else f"{np.mean(falls['named'] >= fall - 1e-6):.1%}"
        print(f"| {name} | {fall.mean():.4f} | {lacks[name].mean():.4f} | {beaten} |")
    told = [x[places[:_N_DELETED]].sum() for x, places in zip(found, orders["named"], strict=True)]
    print(
        f"the named contributions differ from their score's fall by at most {np.abs(falls['named'] - told).max():.1e}"
    )


def keep_histories(data: Dataset, kept: dict[int, np.ndarray]) -> Dataset:
    """Returns the data without the train positives of the given users, except those with the given items."""
    train, changed = data.train, np.zeros(data.n_users, bool)
    changed[list(kept)] = True
    pairs = np.concatenate([user * data.n_items + items for user, items in kept.items()])
    stays = np.isin(train.users.astype(np.int64) * data.n_items + train.items, pairs)
    return dataclasses.replace(data, train=train.select(~changed[train.users] | (train.labels == 0) | stays))


def score(recommender: Recommender, params: object, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Returns the scores of the pairs, encoded again."""
    representation = jax.jit(recommender.encode)(params, recommender.inputs)
    return np.asarray(recommender.score_pairs(representation, jnp.asarray(users), jnp.asarray(items)), np.float64)


if __name__ == "__main__":
    run(define_flags, main, __doc__, needs=("workdir",))
