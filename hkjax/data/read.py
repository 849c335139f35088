"""From files or tables of ids to a `Dataset`: checked, without duplicates, split."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from hkjax.data import layouts, splits
from hkjax.data.dataset import Dataset, Interactions, Names
from hkjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the data come from and how they are cut.

    Attributes:
        format: `ripplenet` (ratings_final, kg_final), `kgat` (train.txt, test.txt, kg_final), or
            `synthetic` (generated, see `hkjax.data.synthetic`).
        path: the folder of the files; unused for `synthetic`.
        split: `random` rows, as in HKRM's paper, or `per_user` rows. For `kgat` also `official`: the test
            part serves as validation part, as in the official HAKG, whose figures are thus chosen on the
            test part.
        ratios: train : validation : test. For `kgat`, whose test part is given, only the first two
            count: they cut each user's train items into train and validation.
        fields: the attribute fields and their relations, see `hkjax.data.fields`.
    """

    format: Literal["ripplenet", "kgat", "synthetic"] = "synthetic"
    path: str = ""
    split: Literal["random", "per_user", "official"] = "random"
    ratios: tuple[float, ...] = (6, 2, 2)
    fields: dict[str, tuple[int | str, ...]] = dataclasses.field(default_factory=dict)


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
        rows = layouts.read_rows(folder / "ratings_final.txt", "user item label")
        given_test = np.zeros((0, 3), np.int64)
    else:
        rows = _positive_rows(layouts.read_adjacency(folder / "train.txt"))
        given_test = _positive_rows(layouts.read_adjacency(folder / "test.txt"))
    triples = layouts.read_rows(folder / "kg_final.txt", "head relation tail")
    return build_dataset(rows, given_test, triples, config, seed, folder)


def build_dataset(
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
        folder: where lists of names are, and what messages refer to.

    Raises:
        InputError: no row, a label that is neither 0 nor 1, ratios that leave a part empty, too few names.
    """
    _check_rows(rows, folder)
    sizes = _count_ids(np.concatenate([rows, given_test]), triples)
    unique_rows, unique_test, warnings = _deduplicate(rows, given_test, n_items=sizes[1])
    unique_triples = np.unique(triples, axis=0)
    if len(unique_triples) < len(triples):
        warnings.append(f"{len(triples) - len(unique_triples)} duplicate triples dropped")
    if config.split == "official":
        warnings.append("validation is on the test part, on which the best epoch is thus chosen")
    train, validation, test = _split(unique_rows, unique_test, config, seed)
    return Dataset(
        *sizes,
        train=train,
        validation=validation,
        test=test,
        triples=unique_triples,
        names=_read_names(folder, sizes),
        fields=dict(config.fields),
        warnings=tuple(warnings),
    )


def _positive_rows(pairs: np.ndarray) -> np.ndarray:
    return np.column_stack([pairs, np.ones(len(pairs), np.int64)])


def _check_rows(rows: np.ndarray, folder: Path | None) -> None:
    source = str(folder) if folder else "data"
    if not rows.size:
        raise InputError(f"{source}: no interactions")
    bad = np.flatnonzero((rows[:, 2] != 0) & (rows[:, 2] != 1))
    if bad.size:
        raise InputError(f"{source}/ratings_final: row {bad[0] + 1}: label {rows[bad[0], 2]} is neither 0 nor 1")


def _count_ids(rows: np.ndarray, triples: np.ndarray) -> tuple[int, int, int, int]:
    """Numbers of users, items, entities and relations."""
    n_users, n_items = int(rows[:, 0].max()) + 1, int(rows[:, 1].max()) + 1
    n_entities = max(n_items, int(triples[:, [0, 2]].max(initial=-1)) + 1)
    return n_users, n_items, n_entities, int(triples[:, 1].max(initial=-1)) + 1


def _deduplicate(rows: np.ndarray, given_test: np.ndarray, n_items: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Drops repeated (user, item) pairs, and from the rows those of the test part; and says so."""
    warnings = []
    unique_rows, unique_test = (_unique_pairs(table, n_items) for table in (rows, given_test))
    n_dropped = len(rows) + len(given_test) - len(unique_rows) - len(unique_test)
    if n_dropped:
        warnings.append(f"{n_dropped} duplicate interactions dropped")
    in_test = np.isin(_pair_key(unique_rows, n_items), _pair_key(unique_test, n_items))
    if in_test.any():
        warnings.append(f"{in_test.sum()} test interactions are also in train: left out of train")
    return unique_rows[~in_test], unique_test, warnings


def _split(
    rows: np.ndarray, given_test: np.ndarray, config: DataConfig, seed: int
) -> tuple[Interactions, Interactions, Interactions]:
    """Train, validation and test."""
    has_test = bool(given_test.size)
    if not has_test and config.split == "official":
        raise InputError("data.split: official needs a given test part, which only the format kgat has")
    if not has_test and len(config.ratios) != 3:
        raise InputError(f"data.ratios: expected train, validation and test, found {tuple(config.ratios)}")
    if config.split == "official":
        tables = [rows, given_test, given_test]
    elif has_test:
        tables = [*(rows[part] for part in splits.per_user_split(rows[:, 0], config.ratios[:2], seed)), given_test]
    elif config.split == "per_user":
        tables = [rows[part] for part in splits.per_user_split(rows[:, 0], config.ratios, seed)]
    else:
        tables = [rows[part] for part in splits.random_split(len(rows), config.ratios, seed)]
    for part, table in zip(("train", "validation", "test"), tables, strict=True):
        if not len(table):
            n_rows = len(rows) + len(given_test)
            raise InputError(f"data.ratios {tuple(config.ratios)} leave the {part} part of {n_rows} rows empty")
    train, validation, test = (Interactions(*table.T.astype(np.int32)) for table in tables)
    return train, validation, test


def _pair_key(rows: np.ndarray, n_items: int) -> np.ndarray:
    return rows[:, 0] * n_items + rows[:, 1]


def _unique_pairs(rows: np.ndarray, n_items: int) -> np.ndarray:
    """Keeps one row per (user, item), a positive one where there is one, in the order of the file."""
    positives_first = np.argsort(1 - rows[:, 2], kind="stable")
    _, first = np.unique(_pair_key(rows[positives_first], n_items), return_index=True)
    return rows[np.sort(positives_first[first])]


def _read_names(folder: Path | None, sizes: tuple[int, int, int, int]) -> Names:
    lists = []
    for kind, size in zip(("user", "item", "entity", "relation"), sizes, strict=True):
        path = folder / f"{kind}_list.txt" if folder else None
        names = layouts.read_names(path) if path else None
        if kind in ("user", "item") and names is not None and len(names) < size:
            raise InputError(
                f"{path}: names {len(names)} {kind}s, but the data hold {kind} id {size - 1}: out of range"
            )
        names = names or []
        lists.append(names + [str(i) for i in range(len(names), size)])
    return Names(*lists)
