"""Experiment configurations: typed dataclasses behind ml_collections' ConfigDict.

Each part of a configuration is one frozen dataclass, kept beside the code that it configures. Only its docstring
explains the choices. `build` turns a ConfigDict (or any mapping) into such a dataclass and rejects what does not fit.
"""

import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from ml_collections import ConfigDict, config_dict

from hkjax.errors import InputError, nearest

T = TypeVar("T")
_LARGEST = 3.4e38  # Of float32.


def build(cls: type[T], mapping: Mapping[str, Any], where: str = "config") -> T:
    """Builds the dataclass `cls` from a mapping, field by field.

    Args:
        cls: a frozen dataclass with annotations int, float, bool, str, Literal, tuple, dict or another
            such dataclass.
        mapping: the values; absent keys take the dataclass's defaults.
        where: the mapping's place in the configuration, for messages.

    Raises:
        InputError: an unknown key (the nearest right one is named), a wrong type, or a value that
            is not among a Literal's choices or not in its `Range`.
    """
    hints = typing.get_type_hints(cls)
    if not isinstance(mapping, Mapping | ConfigDict):
        raise InputError(f"{where}: expected the keys of a configuration, found {mapping!r}")
    for key in mapping:
        if key not in hints:
            raise InputError(f"{where}.{key}: unknown key{nearest(key, hints)}")
    values = {key: _convert(hints[key], value, f"{where}.{key}") for key, value in mapping.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{where}.{error}") from None


def to_config_dict(instance: Any) -> ConfigDict:
    """Returns a dataclass instance, with all that it contains, as a ConfigDict.

    A value that may be None becomes a placeholder, which a flag can still set.
    """
    return ConfigDict(_plain(instance))


class Setting(NamedTuple):
    """One key of a configuration.

    Attributes:
        key: its place, such as `model.dim`; for one of several models `model[hkrm].dim`.
        kind: its type and permitted values, in words.
        default: its default.
        meaning: its entry in the dataclass's docstring.
    """

    key: str
    kind: str
    default: Any
    meaning: str


def settings(cls: type, prefix: str = "") -> Iterator[Setting]:
    """Yields every key of a configuration, from its dataclasses and their docstrings."""
    hints, meanings = typing.get_type_hints(cls, include_extras=True), _meanings(cls)
    for field in dataclasses.fields(cls):
        hint, key = hints[field.name], f"{prefix}{field.name}"
        if dataclasses.is_dataclass(hint):
            yield from settings(typing.cast(type, hint), f"{key}.")
        elif isinstance(hint, types.UnionType) and _optional(hint) is None:
            for arm in typing.get_args(hint):
                yield from settings(arm, f"{key}[{arm.name}].")
        else:
            factory = field.default_factory
            default = field.default if factory is dataclasses.MISSING else factory()
            yield Setting(key, _kind(hint), default, meanings[field.name])


def _meanings(cls: type) -> dict[str, str]:
    """Returns the entries of the docstring's section Attributes, by name; those of base classes where it has none."""
    meanings: dict[str, str] = {}
    for kind in reversed(cls.__mro__):
        _, _, section = (inspect.getdoc(kind) or "").partition("Attributes:\n") if kind is not object else ("", "", "")
        for names, text in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
            meanings |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return meanings


def _kind(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    if typing.get_origin(hint) is Annotated:
        plain, *bounds = typing.get_args(hint)
        return " ".join([_kind(plain), *map(str, bounds)])
    if _optional(hint) is not None:
        return f"{_kind(_optional(hint))} | None"
    return str((typing.get_origin(hint) or hint).__name__)


def _plain(instance: Any) -> dict[str, Any]:
    hints, plain = typing.get_type_hints(type(instance)), {}
    for field in dataclasses.fields(instance):
        value, kind = getattr(instance, field.name), _optional(hints[field.name])
        if kind is not None:
            holder = config_dict.placeholder(kind)
            holder.set(value)
            value = holder
        if isinstance(value, dict):  # Names may have dots.
            value = ConfigDict(value, convert_dict=False, allow_dotted_keys=True)
        plain[field.name] = _plain(value) if dataclasses.is_dataclass(value) else value
    return plain


def _optional(hint: Any) -> type | None:
    """Returns T for a `T | None`, otherwise None."""
    arms = typing.get_args(hint) if isinstance(hint, types.UnionType) else ()
    return next(arm for arm in arms if arm is not types.NoneType) if types.NoneType in arms else None


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
                f"{nearest(str(value), map(str, choices))}"
            )
        return value
    optional = _optional(hint)
    if optional is not None:
        return None if value is None else _convert(optional, value, where)
    if isinstance(hint, types.UnionType):
        return build(_by_name(hint, value, where), value, where)
    kind = typing.get_origin(hint) or hint
    if kind is tuple and isinstance(value, (list, tuple)):
        return _convert_tuple(typing.get_args(hint), value, where)
    if kind is dict and isinstance(value, (Mapping, ConfigDict)):
        return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{where}: expected {kind.__name__}, found {value!r}")
    if kind is float and _LARGEST < abs(value) < math.inf:
        raise InputError(f"{where}: expected a float32 value, found {value}")
    if kind is int and abs(value) >= 2**63:
        raise InputError(f"{where}: expected a 64-bit integer, found {value}")
    return value


def _convert_tuple(hints: tuple[Any, ...], value: Sequence[Any], where: str) -> tuple[Any, ...]:
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise InputError(f"{where}: expected {len(hints)} values, found {value!r}")
    return tuple(_convert(hint, item, f"{where}[{k}]") for k, (hint, item) in enumerate(zip(hints, value, strict=True)))


def _by_name(union: types.UnionType, value: Any, where: str) -> type:
    """Returns the dataclass of a union that has the mapping's `name`."""
    if not isinstance(value, (Mapping, ConfigDict)):
        raise InputError(f"{where}: expected a mapping, found {value!r}")
    by_name = {arm.name: arm for arm in typing.get_args(union)}
    name = value.get("name", next(iter(by_name)))
    if not isinstance(name, str) or name not in by_name:
        raise InputError(f"{where}.name: unknown value {name!r}; choose one of {', '.join(by_name)}")
    keys = {arm_name: {field.name for field in dataclasses.fields(arm)} for arm_name, arm in by_name.items()}
    for other, of_other in keys.items():
        if not {*value} <= keys[name] and {*value} <= of_other:
            raise InputError(f"{where}.name: {name} has other keys than {other}; choose a --config file for {name}")
    return by_name[name]
