"""Assembly of a `Dataset` from numbered rows: duplicates dropped, ratings labelled, rows split."""

from collections.abc import Mapping, Sequence

import numpy as np

from hkjax.data import splits
from hkjax.data.checks import is_far_beyond
from hkjax.data.config import DataConfig
from hkjax.data.dataset import Dataset, Interactions, Names, Parts
from hkjax.data.numbering import Numbered, number
from hkjax.data.rows import Rows, deduplicate, drop_absent_users, label_ratings, leave_out
from hkjax.data.sources.content import Content
from hkjax.errors import InputError


def assemble(content: Content, config: DataConfig, seed: int) -> Dataset:
    """Builds a data set from the content of its sources.

    Raises:
        InputError: there is no interaction or no positive, the knowledge shares no id with the items, or a part
            of the split stays empty.
    """
    return label_and_split(number(content, config), config, seed)


def build_dataset(
    rows: np.ndarray, given_test: np.ndarray, triples: np.ndarray, config: DataConfig, seed: int
) -> Dataset:
    """Builds a data set from arrays of indices; every index up to the largest exists.

    Args:
        rows: int [rows, 3] of (user, item, label), to be split; rows of label 0 are negatives.
        given_test: int [rows, 3], a test part that is given separately; may be empty.
        triples: int [triples, 3]; item i is entity i.
        config: how to split.
        seed: seed of the split.

    Raises:
        InputError: no row; an index that is no integer, negative or far beyond the count of rows; a label that is
            neither 0 nor 1; or ratios that leave a part empty.
    """
    if not rows.size:
        raise InputError("data: no interactions")
    for name, table in {"rows": rows, "given_test": given_test, "triples": triples}.items():
        _check_numbers(name, np.asarray(table))
    both = np.concatenate([rows, given_test])
    n_users, n_items = int(both[:, 0].max()) + 1, int(both[:, 1].max()) + 1
    n_entities = max(n_items, int(triples[:, [0, 2]].max(initial=-1)) + 1)
    sizes = (n_users, n_items, n_entities, int(triples[:, 1].max(initial=-1)) + 1, n_entities)
    names = Names(*([str(i) for i in range(size)] for size in sizes))
    given = {"test": _rows(given_test)} if given_test.size else {}
    return label_and_split(Numbered(_rows(rows), given, triples, names, config.fields), config, seed)


def _check_numbers(name: str, table: np.ndarray) -> None:
    if not np.issubdtype(table.dtype, np.integer):
        raise InputError(f"{name}: expected integers, found {table.dtype}")
    if table.min(initial=0) < 0 or is_far_beyond(int(table.max(initial=0)), len(table)):
        wrong = table.min(initial=0) if table.min(initial=0) < 0 else table.max()
        raise InputError(f"{name}: {wrong} is no index of a user, an item or an entity of {len(table)} rows")


def _rows(table: np.ndarray) -> Rows:
    user, item, label = table.T.astype(np.int64)
    if not np.isin(label, (0, 1)).all():
        row = int(np.argmin(np.isin(label, (0, 1))))
        raise InputError(f"data: row {row}: label {label[row]} is neither 0 nor 1")
    return Rows(user, item, label.astype(np.float64), None)


def label_and_split(numbered: Numbered, config: DataConfig, seed: int) -> Dataset:
    """Deduplicates, labels and splits numbered rows.

    Args:
        numbered: rows and knowledge.
        config: how to label and split.
        seed: seed of the split.

    Raises:
        InputError: no row is left, a part stays empty, or has no positive.
    """
    noticed, names, source = list(numbered.warnings), numbered.names, numbered.source
    rows, given = _drop_duplicates(numbered, config, noticed)
    labels, remark = label_ratings([rows, *given.values()], config, source, numbered.rates)
    noticed += [remark] if remark else []
    if config.k_core > 1:
        kept = splits.k_core(rows.user, rows.item, labels[0] == 1, config.k_core)
        noticed.append(f"{(~kept).sum()} interactions are outside of the {config.k_core}-core")
        rows, labels[0] = rows.select(kept), labels[0][kept]
        rows, given, names = drop_absent_users(rows, given, names)
    if not len(rows.user):
        raise InputError(f"{source}: no interaction is left ({'; '.join(noticed) or 'there were none'})")
    triples = _unique_triples(numbered.triples)
    if len(triples) < len(numbered.triples):
        noticed.append(f"{len(numbered.triples) - len(triples)} duplicate triples dropped")
    if config.split == "official":
        noticed.append("validation is on the test part, on which the best epoch is thus chosen")
    parts = _split(rows, labels, given, config, seed)
    parts, disliked = _set_dislikes_apart(parts, numbered.dislikes, config, noticed)
    for name, part in zip(Parts._fields, parts, strict=True):
        if numbered.dislikes and not part.positives().users.size:
            raise InputError(f"{source}: no positive in the {name} part; lower data.threshold, or give it more rows")
    return Dataset(
        n_users=len(names.users),
        n_items=len(names.items),
        n_entities=len(names.entities),
        n_relations=len(names.relations),
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        triples=triples,
        names=names,
        fields=dict(numbered.fields),
        warnings=tuple(noticed),
        disliked=disliked,
    )


def _drop_duplicates(numbered: Numbered, config: DataConfig, noticed: list[str]) -> tuple[Rows, Mapping[str, Rows]]:
    """Keeps one row for each user and item, in the last part that has it."""
    n_items = len(numbered.names.items)
    rows, given, n_dropped = deduplicate(numbered.rows, numbered.given, n_items, config)
    if n_dropped and config.duplicates != "count":
        noticed.append(f"{n_dropped} duplicate interactions dropped")
    if {"validation", "test"} <= given.keys():
        rest, ((_, n_both),) = leave_out(given["validation"], {"test": given["test"]}, n_items)
        given = {**given, "validation": rest}
        noticed += [f"{n_both} validation interactions are also in test: left out of validation"] if n_both else []
    rows, n_overlapping = leave_out(rows, given, n_items)
    noticed += [f"{n} {part} interactions are also in train: left out of train" for part, n in n_overlapping if n]
    return rows, given


def _set_dislikes_apart(parts: Parts, dislikes: bool, config: DataConfig, noticed: list[str]) -> tuple[Parts, Parts]:
    """Returns the parts to train and test on, and the rows that users disliked."""
    disliked = Parts(*(part.select((part.labels == 0) & dislikes) for part in parts))
    if dislikes and config.negatives == "drawn":
        return Parts(*(part.positives() for part in parts)), disliked
    if disliked.train.users.size:
        noticed.append(
            "rows of label 0 are items that users rated low: a model that learns from them separates liked from "
            "disliked items, and may rank the others badly; data.negatives=drawn ranks better as a rule"
        )
    return parts, disliked


def _unique_triples(triples: np.ndarray) -> np.ndarray:
    """Returns the distinct triples, ordered by head, relation, tail."""
    if not len(triples):
        return triples.astype(np.int64)
    _, n_relations, n_entities = (int(column.max()) + 1 for column in triples.T)
    if int(triples[:, 0].max() + 1) * n_relations * n_entities >= 2**62:
        return np.unique(triples, axis=0).astype(np.int64)
    keys = np.sort((triples[:, 0].astype(np.int64) * n_relations + triples[:, 1]) * n_entities + triples[:, 2])
    keys = keys[np.append(True, keys[1:] != keys[:-1])]
    pairs, tail = np.divmod(keys, n_entities)
    return np.column_stack([*np.divmod(pairs, n_relations), tail])


def _what_splits(rows: Rows, config: DataConfig) -> str:
    """Describes the settings that cut the rows, for a message."""
    if config.split == "leave_one_out":
        return "data.split leave_one_out, which takes users of three positives, and the given parts"
    if config.split == "temporal" and rows.time is not None and len(rows.time):
        first, last = (str(np.datetime64(int(time), "us"))[:10] for time in (rows.time.min(), rows.time.max()))
        return f"data.split temporal, of times from {first} to {last}, and data.dates or data.ratios"
    core = f"data.k_core {config.k_core} and " if config.k_core > 1 else ""
    return f"{core}data.ratios {tuple(config.ratios)}"


def _split(rows: Rows, labels: Sequence[np.ndarray], given: Mapping[str, Rows], config: DataConfig, seed: int) -> Parts:
    tables = {"all": (rows, labels[0]), **{k: (v, y) for (k, v), y in zip(given.items(), labels[1:], strict=True)}}

    def interactions(name: str, kept: np.ndarray | slice = slice(None)) -> Interactions:
        table, y = tables[name]
        return Interactions(*(x[kept].astype(np.int32) for x in (table.user, table.item, y)))

    has_test, has_validation = "test" in given, "validation" in given
    if has_validation and not has_test:
        raise InputError("data.tables.validation is given without data.tables.test")
    if config.split == "official" and not has_test:
        raise InputError("data.split: official needs a given test part")
    if not has_test and len(config.ratios) != 3:
        raise InputError(f"data.ratios: expected train, validation and test, found {tuple(config.ratios)}")
    if has_validation:
        parts = [interactions("all"), interactions("validation"), interactions("test")]
    elif config.split == "official":
        parts = [interactions("all"), interactions("test"), interactions("test")]
    else:
        cut = splits.split_rows(rows.user, rows.time, labels[0] == 1, config, 2 if has_test else 3, seed)
        parts = [interactions("all", kept) for kept in cut] + ([interactions("test")] if has_test else [])
    for part, table in zip(("train", "validation", "test"), parts, strict=True):
        if not len(table.users):
            n_rows = len(rows.user) + sum(len(x.user) for x in given.values())
            raise InputError(f"{_what_splits(rows, config)} leave the {part} part of {n_rows} rows empty")
    return Parts(*parts)
