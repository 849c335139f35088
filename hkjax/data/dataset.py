"""A data set in memory: checked interactions in three parts, and the knowledge graph."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from hkjax.data import formats, splits
from hkjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the data come from and how they are cut.

    Attributes:
        format: `ripplenet` (ratings_final, kg_final), `kgat` (train.txt, test.txt, kg_final), or
            `synthetic` (generated, see `hkjax.data.synthetic`).
        path: the folder of the files; unused for `synthetic`.
        split: `random` rows, as HKRM's paper, or `per_user` rows. For `kgat` also `official`: no
            validation part is cut from train, and the test part stands for it, as in the official
            HAKG, whose figures are thus chosen on the test part.
        ratios: train : validation : test. For `kgat`, whose test part is given, only the first two
            count: they cut each user's train items into train and validation.
        fields: the attribute fields and their relations, see `hkjax.data.fields`.
    """

    format: Literal["ripplenet", "kgat", "synthetic"] = "synthetic"
    path: str = ""
    split: Literal["random", "per_user", "official"] = "random"
    ratios: tuple[float, ...] = (6, 2, 2)
    fields: dict[str, tuple] = dataclasses.field(default_factory=dict)


class Interactions(NamedTuple):
    """Rows of who met what, and whether they liked it: int32 arrays [rows]."""

    users: np.ndarray
    items: np.ndarray
    labels: np.ndarray

    def select(self, rows: np.ndarray) -> "Interactions":
        """Returns the given rows (indices or a mask)."""
        return Interactions(*(column[rows] for column in self))

    def positives(self) -> "Interactions":
        """Returns the rows with label 1."""
        return self.select(self.labels == 1)


class Names(NamedTuple):
    """The data set's own name of every id."""

    users: list[str]
    items: list[str]
    entities: list[str]
    relations: list[str]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What a recommender is built from. Item i is entity i.

    Attributes:
        train, validation, test: the interactions, disjoint; but validation is test where the split
            is `official`.
        triples: int64 [triples, 3] of (head, relation, tail), without duplicates.
        names: what a person calls each id.
        fields: the relations of each attribute field, as configured.
        remarks: what reading noticed, one sentence each (dropped duplicates, ...).
        truth: index of the field that each user prefers, int [users], where it is known.
    """

    n_users: int
    n_items: int
    n_entities: int
    n_relations: int
    train: Interactions
    validation: Interactions
    test: Interactions
    triples: np.ndarray
    names: Names
    fields: Mapping[str, tuple]
    remarks: tuple[str, ...] = ()
    truth: np.ndarray | None = None

    @property
    def validates_on_test(self) -> bool:
        return all(map(np.array_equal, self.validation, self.test))


def read_dataset(config: DataConfig, seed: int) -> Dataset:
    """Reads `config.path` and splits it.

    Args:
        config: see `DataConfig`; `format` is `ripplenet` or `kgat`.
        seed: seed of the split.

    Raises:
        InputError: a missing file, a malformed row, an id out of range, or an empty part.
    """
    folder = Path(config.path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such data folder")
    if config.format == "ripplenet":
        rows = formats.read_rows(folder / "ratings_final.txt", "user item label")
        given_test = np.zeros((0, 3), np.int64)
    else:
        rows = _liked(formats.read_adjacency(folder / "train.txt"))
        given_test = _liked(formats.read_adjacency(folder / "test.txt"))
    triples = formats.read_rows(folder / "kg_final.txt", "head relation tail")
    return assemble(rows, given_test, triples, config, seed, folder)


def assemble(
    rows: np.ndarray,
    given_test: np.ndarray,
    triples: np.ndarray,
    config: DataConfig,
    seed: int,
    folder: Path | None = None,
) -> Dataset:
    """Checks, deduplicates and splits tables of ids.

    Args:
        rows: int [rows, 3] of (user, item, label), to be split.
        given_test: int [rows, 3], a test part that is given apart; may be empty.
        triples: int [triples, 3].
        config: how to split.
        seed: seed of the split.
        folder: where lists of names and messages refer to.
    """
    source = str(folder) if folder else "data"
    if not rows.size:
        raise InputError(f"{source}: no interactions")
    bad = np.flatnonzero((rows[:, 2] != 0) & (rows[:, 2] != 1))
    if bad.size:
        raise InputError(f"{source}/ratings_final: row {bad[0] + 1}: label {rows[bad[0], 2]} is neither 0 nor 1")
    both = np.concatenate([rows, given_test])
    n_users, n_items = int(both[:, 0].max()) + 1, int(both[:, 1].max()) + 1
    n_entities = max(n_items, int(triples[:, [0, 2]].max(initial=-1)) + 1)
    n_relations = int(triples[:, 1].max(initial=-1)) + 1
    names, remarks = _read_names(folder, (n_users, n_items, n_entities, n_relations)), []

    rows, n_dropped = _unique_pairs(rows, n_items)
    given_test, n_test_dropped = _unique_pairs(given_test, n_items)
    if n_dropped + n_test_dropped:
        remarks.append(f"{n_dropped + n_test_dropped} duplicate interactions dropped")
    in_train = np.isin(_pair_key(given_test, n_items), _pair_key(rows, n_items))
    if in_train.any():
        remarks.append(f"{in_train.sum()} test interactions are also in train: left out of train")
        rows = rows[~np.isin(_pair_key(rows, n_items), _pair_key(given_test, n_items))]
    unique_triples = np.unique(triples, axis=0)
    if len(unique_triples) < len(triples):
        remarks.append(f"{len(triples) - len(unique_triples)} duplicate triples dropped")

    has_test = bool(given_test.size)
    ratios = config.ratios[:2] if has_test else config.ratios
    if not has_test and len(ratios) != 3:
        raise InputError(f"data.ratios: expected train, validation and test, found {tuple(ratios)}")
    if config.split == "official":
        if not has_test:
            raise InputError("data.split: official needs a given test part, which only the format kgat has")
        tables = [rows, given_test, given_test]
        remarks.append("validation is on the test part, on which the best epoch is thus chosen")
    else:
        if config.split == "per_user" or has_test:
            parts = splits.per_user_split(rows[:, 0], ratios, seed)
        else:
            parts = splits.random_split(len(rows), ratios, seed)
        tables = [rows[part] for part in parts] + ([given_test] if has_test else [])
    for part, table in zip(("train", "validation", "test"), tables, strict=True):
        if not len(table):
            raise InputError(f"data.ratios {tuple(config.ratios)} leave the {part} part of {len(both)} rows empty")
    train, validation, test = (Interactions(*table.T.astype(np.int32)) for table in tables)
    return Dataset(
        n_users=n_users,
        n_items=n_items,
        n_entities=n_entities,
        n_relations=n_relations,
        train=train,
        validation=validation,
        test=test,
        triples=unique_triples,
        names=names,
        fields=dict(config.fields),
        remarks=tuple(remarks),
    )


def _liked(pairs: np.ndarray) -> np.ndarray:
    return np.column_stack([pairs, np.ones(len(pairs), np.int64)])


def _pair_key(rows: np.ndarray, n_items: int) -> np.ndarray:
    return rows[:, 0] * n_items + rows[:, 1]


def _unique_pairs(rows: np.ndarray, n_items: int) -> tuple[np.ndarray, int]:
    """Keeps one row per (user, item), a liked one where there is one, in the order of the file."""
    liked_first = np.argsort(1 - rows[:, 2], kind="stable")
    _, first = np.unique(_pair_key(rows[liked_first], n_items), return_index=True)
    kept = np.sort(liked_first[first])
    return rows[kept], len(rows) - len(kept)


def _read_names(folder: Path | None, sizes: tuple[int, int, int, int]) -> Names:
    lists = []
    for kind, size in zip(("user", "item", "entity", "relation"), sizes, strict=True):
        path = folder / f"{kind}_list.txt" if folder else None
        names = formats.read_names(path) if path else None
        if kind in ("user", "item") and names is not None and len(names) < size:
            raise InputError(
                f"{path}: names {len(names)} {kind}s, but the data hold {kind} id {size - 1}: out of range"
            )
        names = names or []
        lists.append(names + [str(i) for i in range(len(names), size)])
    return Names(*lists)


def fingerprint(data: Dataset) -> str:
    """A hash of the interactions and the triples, by which a run knows its data again."""
    digest = hashlib.sha256()
    for array in (*data.train, *data.validation, *data.test, data.triples):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def take_users(data: Dataset, n: int) -> Dataset:
    """Keeps the first n users, the items that they met, and the triples that touch such an item; renumbered."""
    parts = [part.select(part.users < n) for part in (data.train, data.validation, data.test)]
    items = np.unique(np.concatenate([part.items for part in parts]))
    triples = data.triples[np.isin(data.triples[:, [0, 2]], items).any(axis=1)]
    others = np.setdiff1d(triples[:, [0, 2]], np.arange(data.n_items))
    further = np.setdiff1d(triples[:, [0, 2]], np.concatenate([items, others]))
    order = np.concatenate([items, further, others])
    number = np.full(data.n_entities, -1)
    number[order] = np.arange(len(order))
    triples = np.column_stack([number[triples[:, 0]], triples[:, 1], number[triples[:, 2]]])
    n_items = len(items) + len(further)
    train, validation, test = (part._replace(items=number[part.items].astype(np.int32)) for part in parts)
    return dataclasses.replace(
        data,
        n_users=min(n, data.n_users),
        n_items=n_items,
        n_entities=len(order),
        train=train,
        validation=validation,
        test=test,
        triples=triples,
        names=Names(
            data.names.users[:n],
            [data.names.items[i] for i in order[:n_items]],
            [data.names.entities[i] for i in order],
            data.names.relations,
        ),
        truth=None if data.truth is None else data.truth[:n],
    )
