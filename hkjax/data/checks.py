"""Checks for probable errors in the sources: knowledge of other items, ids in several spellings, ids of two kinds."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkjax.data.dataset import Names
from hkjax.data.sources.content import Content
from hkjax.data.sources.vocabulary import Column
from hkjax.errors import InputError


def check_knowledge(content: Content) -> None:
    """Raises InputError, with ids of both sides, if the knowledge has no item of the interactions."""
    met = content.interactions.item.values
    graph = [values for fact in content.facts for values in (fact.head.values, fact.tail.values)]
    for name, arrays in ((f"items table {content.items_name}", [content.catalogue]), ("graph", graph)):
        known = pa.concat_arrays([pa.array([], pa.string()), *arrays])
        if len(known) and not pc.any(pc.is_in(met, known)).as_py():
            samples = (", ".join(map(repr, sample[:3].to_pylist())) for sample in (met, known))
            there, here = samples
            raise InputError(
                f"the {name.strip()} shares no id with {content.interactions.name}: "
                f"items there are {there}, ..., here {here}, ..."
            )


def ids_shared_with_items(triples: np.ndarray, n_items: int, names: Names) -> list[str]:
    """Returns warnings of relations with items among their values: both kinds may use the same ids."""
    head, relation, tail = triples.T
    of_items = head < n_items
    both, items = (
        np.bincount(relation[x], minlength=len(names.relations)) for x in (of_items, of_items & (tail < n_items))
    )
    warnings = []
    for r in np.flatnonzero(items > 0):
        example = tail[of_items & (relation == r) & (tail < n_items)][0]
        warnings.append(
            f"{names.relations[r]}: {items[r]} of {both[r]} values have ids of items, e.g. {names.items[example]!r}, "
            "and count as these items; was that meant?"
        )
    return warnings


def spellings(ids: pa.Array, kind: str) -> list[str]:
    """Returns warnings of ids that differ only in case or blanks, or carry a byte order mark."""
    warnings = []
    marked = ids.filter(pc.match_substring(ids, "\ufeff"))
    if len(marked):
        warnings.append(f"{len(marked)} {kind} ids carry a byte order mark, e.g. {marked[0].as_py()!r}")
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(ids))
    if len(pc.unique(plain)) < len(ids):
        counts = pc.value_counts(plain)
        doubled = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        same = ids.filter(pc.equal(plain, doubled[0]))
        warnings.append(
            f"{len(doubled)} {kind} ids occur in several spellings, which count as different, "
            f"e.g. {same[0].as_py()!r} and {same[1].as_py()!r}"
        )
    return warnings


def placeholder_ids(column: Column, kind: str) -> list[str]:
    """Returns a warning of an id 0 beside ids that count from 1: many files use 0 for "none".

    Args:
        column: the ids of interactions.
        kind: the kind of the ids, for the message.
    """
    values = column.values.to_pylist()
    if "0" not in values or not {"1", "2", "3"} <= {*values} or not all(value.isdecimal() for value in values):
        return []
    numbers, counts = np.array(values, np.int64), np.bincount(column.indices, minlength=len(values))
    of_zero = int(counts[numbers == 0][0])
    if of_zero * 10 > np.median(counts[numbers != 0]):
        return []
    return [f"{kind} 0 has {of_zero} rows, far fewer than the others: do ids start at 1, and is 0 for none?"]


def is_far_beyond(number: int, count: int) -> bool:
    """Returns whether an id exceeds 1000 (count of ids + 1): an error, as a row per index would not fit into memory."""
    return number > 1000 * (count + 1)
