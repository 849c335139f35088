"""HKRM's attribute fields for tables, where none are named."""

from typing import Any

import numpy as np

from hkjax.data.dataset import Dataset
from hkjax.data.fields import attribute_fields
from hkjax.errors import InputError
from hkjax.models.hkrm.config import HKRMConfig

# A relation can be a field if this share of the items has it; this many relations can be fields.
_LEAST_COVERAGE = 0.02
_MOST_FIELDS = 8


def choose_fields(config: HKRMConfig, data: Dataset) -> dict[str, Any]:
    """Chooses the attribute fields: those of the data, then relations that many items have, with shared values.

    A relation with the values of a chosen one, such as an inverse, is left out.

    Returns:
        `data.fields`, and an item bias.

    Raises:
        InputError: no relation can be a field.
    """
    del config
    chosen = {name: tuple(map(str, relations)) for name, relations in data.fields.items()}
    known = {_pairs(data, relation) for relations in chosen.values() for relation in relations}
    found = []
    for name in (name for relation in data.names.relations for name in (relation, f"~{relation}")):
        fields = attribute_fields(data.triples, data.n_items, {name: (name,)}, data.names.relations)
        items, values = len(np.unique(fields.item)), len(np.unique(fields.value))
        if items >= _LEAST_COVERAGE * data.n_items and 1 < values < len(fields.value):
            found.append((items, name))
    for _, name in sorted(found, key=lambda field: -field[0]):
        pairs = _pairs(data, name)
        if len(chosen) < _MOST_FIELDS and pairs not in known:
            known.add(pairs)
            chosen[name] = (name,)
    if not chosen:
        raise InputError("HKRM needs attribute fields: name an items table (--items=FILE) or data.fields")
    return {"model.item_bias": True, "data.fields": chosen}


def _pairs(data: Dataset, relation: str) -> bytes:
    """Returns all (item, value) of a relation as bytes, to recognise equal relations."""
    fields = attribute_fields(data.triples, data.n_items, {relation: (relation,)}, data.names.relations)
    return np.column_stack([fields.item, fields.entities[fields.value]]).tobytes()
