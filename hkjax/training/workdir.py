"""The work directory: it belongs to one configuration."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hkjax.errors import InputError


def claim_workdir(workdir: Path, experiment: Any, data: str, read: Callable[[dict[str, Any]], Any]) -> None:
    """Creates the directory and writes config.json, or checks that it already holds this one and its data.

    Args:
        workdir: the directory; its parents are created too.
        experiment: the configuration, a dataclass instance.
        data: fingerprint of the data.
        read: makes an experiment of a stored configuration, with defaults for the keys that it lacks.

    Raises:
        InputError: the directory belongs to another configuration or to other data, or can't be
            written.
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
        return
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / "data.sha256").write_text(data + "\n")
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(dataclasses.asdict(experiment), indent=2) + "\n")
        draft.replace(path)
    except OSError as error:
        raise InputError(f"{workdir}: can't be written ({error.strerror})") from error


def check_data(workdir: Path, data: str) -> None:
    """Checks that a work directory was trained on data of this fingerprint.

    Raises:
        InputError: it was not.
    """
    if (workdir / "data.sha256").read_text().strip() != data:
        raise InputError(
            f"{workdir}: was trained on other data: the files have changed; restore them, or train in another --workdir"
        )


def read_config(workdir: Path) -> dict[str, Any]:
    """Reads the configuration of a work directory.

    Raises:
        InputError: there is none.
    """
    path = workdir / "config.json"
    if not path.exists():
        raise InputError(f"{path}: no such file; train first: hkjax train --workdir={workdir} ...")
    return json.loads(path.read_text())


def flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested dicts by their dotted keys."""
    if not isinstance(tree, dict) or not tree:
        return {prefix: tree}
    return {k: v for key, sub in tree.items() for k, v in flatten(sub, f"{prefix}.{key}".lstrip(".")).items()}
