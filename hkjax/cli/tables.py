"""Flags that name a user's tables."""

import dataclasses
from typing import Any

from absl import flags

from hkjax.data.config import DataConfig, TablesConfig
from hkjax.errors import InputError


def define_table_flags() -> None:
    """Defines a flag for each source."""
    flags.DEFINE_string(
        "interactions",
        None,
        "Interactions of users and items: files, folders or globs, separated by commas.",
    )
    flags.DEFINE_string("items", None, "One row an item: its id, name and attributes.")
    flags.DEFINE_list("triples", None, "Files of (head, relation, tail), separated by commas.")
    flags.DEFINE_string("links", None, "A table of (item, entity): which entity of the triples is which item.")
    flags.DEFINE_string("names", None, "A table of (id, name) for items, entities and relations.")
    flags.DEFINE_string("validation", None, "Interactions that are the validation part.")
    flags.DEFINE_string("test", None, "Interactions that are the test part.")
    flags.DEFINE_list("header", None, "Names of the interactions' columns, where their files have no header row.")
    flags.DEFINE_list("columns", None, "Columns by role, such as user:reader,item:isbn,rating:score.")
    flags.DEFINE_string("separator", None, "What separates several values in a text column of the items; default |.")


def given_tables() -> dict[str, Any]:
    """Returns the fields of `TablesConfig` that flags give.

    Raises:
        InputError: --columns is not of the form ROLE:COLUMN.
    """
    given: dict[str, Any] = {}
    for field in dataclasses.fields(TablesConfig):
        value = flags.FLAGS[field.name].value
        if value is None:
            continue
        if field.name == "columns":
            pairs = [pair.partition(":") for pair in value]
            if not all(role and column for role, _, column in pairs):
                raise InputError("--columns: expected ROLE:COLUMN, such as user:reader,item:isbn")
            value = {role: column for role, _, column in pairs}
        given[field.name] = tuple(value) if isinstance(value, list) else value
    return given


def data_config(tables: dict[str, Any], base: DataConfig) -> DataConfig:
    """Returns a configuration of the given tables, with the other choices of `base`."""
    sources = dataclasses.replace(base.tables, **tables)
    return dataclasses.replace(base, format="tables", tables=sources)
