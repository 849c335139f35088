"""A data set as files in a work directory: its sources are read once, and their changes are noticed.

| file | content |
|---|---|
| data.json | fields, warnings; the sources' sizes, times and hashes; the settings that determine the data |
| interactions.parquet | part, user, item, label; parts are train, validation, test and disliked_train, ... |
| triples.npy, true_field.npy | as in `Dataset` |
| users.parquet, items.parquet, entities.parquet, relations.parquet | names, in the order of their indices |
| SHA256SUMS | sums of all these files |
"""

import errno
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from hkjax.data.dataset import Dataset, Interactions, Names, Parts
from hkjax.errors import InputError
from hkjax.files import check_sums, clear_errors, sha256, write_sums

_PARTS = ("train", "validation", "test")


class DamagedDataError(InputError):
    """Damage to a kept data set: a file is missing, or not as it was written."""


def save_dataset(data: Dataset, folder: Path, sources: Sequence[Path] = (), settings: str = "") -> None:
    """Writes a data set into a folder, whole or not at all; replaces what was there.

    Args:
        data: the data set.
        folder: receives the files.
        sources: the files that it was read from.
        settings: the settings that determine it.
    """
    with clear_errors(folder):
        _save(data, folder, sources, settings)


def _save(data: Dataset, folder: Path, sources: Sequence[Path], settings: str) -> None:
    draft = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    tables = []
    for prefix, parts in (("", (data.train, data.validation, data.test)), ("disliked_", data.disliked)):
        for name, rows in zip(_PARTS, parts, strict=True):
            part = pa.DictionaryArray.from_arrays(np.zeros(len(rows.users), np.int8), [prefix + name])
            tables.append(pa.table({"part": part, "user": rows.users, "item": rows.items, "label": rows.labels}))
    pa.parquet.write_table(pa.concat_tables(tables).unify_dictionaries(), draft / "interactions.parquet")
    for kind, names in data.names._asdict().items():
        pa.parquet.write_table(pa.table({"name": pa.array(names, pa.string())}), draft / f"{kind}.parquet")
    np.save(draft / "triples.npy", data.triples)
    if data.true_field is not None:
        np.save(draft / "true_field.npy", data.true_field)
    facts = {
        "settings": settings,
        "fields": {name: list(relations) for name, relations in data.fields.items()},
        "warnings": list(data.warnings),
        "sources": {str(path.resolve()): _stamp(path) for path in sources},
    }
    (draft / "data.json").write_text(json.dumps(facts, indent=2) + "\n")
    write_sums(draft, sorted(path.name for path in draft.iterdir()))
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)


def load_dataset(folder: Path) -> Dataset:
    """Reads a data set written by `save_dataset`.

    Raises:
        DamagedDataError: a file is missing, or not as it was written.
    """
    try:
        check_sums(folder)
        return _load(folder)
    except MemoryError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
            raise
        raise _damaged(folder, error) from error


def _load(folder: Path) -> Dataset:
    facts = _read_facts(folder)
    table = pa.parquet.read_table(folder / "interactions.parquet")

    def rows(part: str) -> Interactions:
        kept = table.filter(pc.equal(table["part"], part))
        return Interactions(*(kept[name].to_numpy().astype(np.int32) for name in ("user", "item", "label")))

    lists = {kind: pa.parquet.read_table(folder / f"{kind}.parquet")["name"].to_pylist() for kind in Names._fields}
    names, true_field = Names(**lists), folder / "true_field.npy"
    return Dataset(
        n_users=len(names.users),
        n_items=len(names.items),
        n_entities=len(names.entities),
        n_relations=len(names.relations),
        train=rows("train"),
        validation=rows("validation"),
        test=rows("test"),
        triples=np.load(folder / "triples.npy"),
        names=names,
        fields={name: tuple(relations) for name, relations in facts["fields"].items()},
        warnings=tuple(facts["warnings"]),
        true_field=np.load(true_field) if true_field.exists() else None,
        disliked=Parts(*(rows(f"disliked_{part}") for part in _PARTS)),
    )


def _damaged(folder: Path, error: Exception) -> DamagedDataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return DamagedDataError(f"{folder}: the data kept here are damaged ({reason})")


def is_prepared(folder: Path, settings: str | None = None) -> bool:
    """Returns whether the folder holds a data set, with these settings if any are given.

    Raises:
        DamagedDataError: the data set is not as it was written.
    """
    try:
        check_sums(folder)
    except InputError as error:
        raise _damaged(folder, error) from error
    return (folder / "data.json").exists() and settings in (None, _read_facts(folder)["settings"])


def changed_sources(folder: Path, files: Sequence[Path]) -> list[str]:
    """Lists the files that changed, appeared or disappeared since the data set was read."""
    old = _read_facts(folder)["sources"]
    now = {str(path.resolve()): path for path in files}
    changed = [name for name in old if name not in now or not _is_same(now[name], old[name])]
    return sorted([*changed, *(name for name in now if name not in old)])


def _read_facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / "data.json").read_text())
        return {key: facts[key] for key in ("settings", "fields", "warnings", "sources")}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from error


def _stamp(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"bytes": status.st_size, "modified": status.st_mtime_ns, "sha256": sha256(path)}


def _is_same(path: Path, stamp: dict[str, Any]) -> bool:
    status = path.stat()
    if status.st_size != stamp["bytes"]:
        return False
    return status.st_mtime_ns == stamp["modified"] or sha256(path) == stamp["sha256"]
