"""Experiment configurations: typed dataclasses behind ml_collections' ConfigDict.

Each part of a configuration is one frozen dataclass, kept beside the code that it configures; its
docstring is the one place that explains the choices. `build` turns a ConfigDict (or any mapping)
into such a dataclass and refuses what does not fit.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from ml_collections import ConfigDict

from hkjax.errors import InputError

T = TypeVar("T")


def build(cls: type[T], mapping: Mapping[str, Any], where: str = "config") -> T:
    """Builds the dataclass `cls` from a mapping, field by field.

    Args:
        cls: a frozen dataclass whose annotations are int, float, bool, str, Literal, tuple, dict or
            another such dataclass.
        mapping: the values; absent keys take the dataclass's defaults.
        where: the mapping's place in the configuration, for messages.

    Raises:
        InputError: an unknown key (the nearest right one is named), a wrong type, or a value that
            is not among a Literal's choices or not in its `Range`.
    """
    hints = typing.get_type_hints(cls)
    for key in mapping:
        if key not in hints:
            raise InputError(f"{where}.{key}: unknown key{_nearest(key, hints)}")
    values = {key: _convert(hints[key], value, f"{where}.{key}") for key, value in mapping.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{where}.{error}") from None


def to_config_dict(instance: Any) -> ConfigDict:
    """Returns a dataclass instance, with all that it contains, as a ConfigDict."""
    return ConfigDict(_plain(instance))


def _plain(instance: Any) -> dict[str, Any]:
    fields = {field.name: getattr(instance, field.name) for field in dataclasses.fields(instance)}
    return {k: _plain(v) if dataclasses.is_dataclass(v) else v for k, v in fields.items()}


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, (Mapping, ConfigDict)):
            raise InputError(f"{where}: expected a mapping, found {value!r}")
        return build(typing.cast(type, hint), value, where)
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            raise InputError(
                f"{where}: unknown value {value!r}; choose one of {', '.join(map(str, choices))}"
                f"{_nearest(str(value), map(str, choices))}"
            )
        return value
    if isinstance(hint, types.UnionType):
        return build(_by_name(hint, value, where), value, where)
    kind = typing.get_origin(hint) or hint
    if kind is tuple and isinstance(value, (list, tuple)):
        return tuple(value)
    if kind is dict and isinstance(value, (Mapping, ConfigDict)):
        return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value


def _by_name(union: types.UnionType, value: Any, where: str) -> type:
    """The dataclass of a union whose `name` the mapping gives."""
    if not isinstance(value, (Mapping, ConfigDict)):
        raise InputError(f"{where}: expected a mapping, found {value!r}")
    by_name = {arm.name: arm for arm in typing.get_args(union)}
    name = value.get("name", next(iter(by_name)))
    if name not in by_name:
        raise InputError(f"{where}.name: unknown value {name!r}; choose one of {', '.join(by_name)}")
    return by_name[name]


def _nearest(word: str, candidates: Any) -> str:
    near = difflib.get_close_matches(word, list(candidates), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
