"""The configuration and the data fingerprint of a work directory."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hkjax.errors import InputError
from hkjax.files import SUMS, check_sums, clear_errors, write_sums, write_whole

_DATA = "data.sha256"


def claim_workdir(workdir: Path, experiment: Any, data: str, read: Callable[[dict[str, Any]], Any]) -> None:
    """Writes config.json into the directory, or checks that it holds this configuration and data.

    Args:
        workdir: the directory.
        experiment: the configuration, a dataclass instance.
        data: fingerprint of the data.
        read: builds an experiment from a stored configuration, with defaults for missing keys.

    Raises:
        InputError: the directory belongs to another configuration or to other data, or can't be written.
    """
    new = flatten(json.loads(json.dumps(dataclasses.asdict(experiment))))
    path = workdir / "config.json"
    if path.exists():
        old = flatten(json.loads(json.dumps(dataclasses.asdict(read(read_config(workdir))))))
        changed = [k for k in {**old, **new} if old.get(k) != new.get(k)]
        if changed:
            differences = ", ".join(f"{k}: {old.get(k)!r} there, {new.get(k)!r} here" for k in changed)
            raise InputError(f"{workdir}: belongs to another configuration ({differences}); choose another --workdir")
        check_data(workdir, data)
        if not (workdir / SUMS).exists():
            write_sums(workdir, [path.name, _DATA])
        return
    left = [name for name in (SUMS, "metrics.jsonl", "checkpoints") if (workdir / name).exists()]
    if left:
        raise InputError(f"{path}: missing, though {left[0]} is there; put it back, or choose another --workdir")
    with clear_errors(workdir):
        write_whole(workdir / _DATA, data + "\n")
        write_whole(path, json.dumps(dataclasses.asdict(experiment), indent=2) + "\n")
        write_sums(workdir, [path.name, _DATA])


def check_data(workdir: Path, data: str) -> None:
    """Checks that a work directory was trained on data of this fingerprint.

    Raises:
        InputError: it was not.
    """
    path = workdir / _DATA
    if not path.exists():
        raise InputError(f"{path}: no such file; put it back, or train in another --workdir")
    if path.read_text(errors="replace").strip() != data:
        raise InputError(
            f"{workdir}: was trained on other data: the files have changed; restore them, or train in another --workdir"
        )


def read_config(workdir: Path) -> dict[str, Any]:
    """Reads the configuration of a work directory.

    Raises:
        InputError: there is none, or it has changed since training wrote it.
    """
    path = workdir / "config.json"
    if not path.exists():
        raise InputError(f"{path}: no such file; train first: hkjax train --workdir={workdir} ...")
    try:
        check_sums(workdir)
    except InputError as error:
        raise InputError(f"{error}; put it back, or train in another --workdir") from error
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from error
    if not (isinstance(config, dict) and isinstance(config.get("model"), dict)):
        raise InputError(f"{path}: expected the keys of a configuration, found {str(config)[:40]!r}")
    return config


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Returns the leaves of nested dicts by their dotted keys."""
    if not isinstance(tree, dict) or not tree:
        return {prefix: tree}
    return {k: v for key, sub in tree.items() for k, v in flatten(sub, f"{prefix}.{key}".lstrip(".")).items()}
