"""What is probably a mistake in the sources: knowledge of other items, ids in several spellings, ids of two kinds."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hkjax.data.content import Content
from hkjax.data.dataset import Names
from hkjax.errors import InputError


def check_knowledge(content: Content) -> None:
    """Refuses knowledge of no item that anybody met, and shows both sides' ids."""
    met = content.interactions.item.values
    sources = {"items table": [content.catalogue]} if content.attributes else {}
    sources |= {f"graph ({i + 1})": [fact.head.values, fact.tail.values] for i, fact in enumerate(content.facts)}
    for name, arrays in sources.items():
        known = pa.concat_arrays([pa.array([], pa.string()), *arrays])
        if len(known) and not pc.any(pc.is_in(met, known)).as_py():
            samples = (", ".join(map(repr, sample[:3].to_pylist())) for sample in (met, known))
            raise InputError(
                "the {} shares no id with the interactions: items there are {}, ..., here {}, ...".format(
                    name, *samples
                )
            )


def coincidences(triples: np.ndarray, n_items: int, names: Names) -> list[str]:
    """Warnings of relations some of whose values are items, maybe because ids of both kinds are the same numbers."""
    head, relation, tail = triples.T
    of_items = head < n_items
    both, items = (
        np.bincount(relation[x], minlength=len(names.relations)) for x in (of_items, of_items & (tail < n_items))
    )
    warnings = []
    for r in np.flatnonzero((items > 0) & (items < both)):
        example = tail[of_items & (relation == r) & (tail < n_items)][0]
        warnings.append(
            f"{names.relations[r]}: {items[r]} of {both[r]} values have ids of items, e.g. {names.items[example]!r}, "
            "and count as these items; was that meant?"
        )
    return warnings


def spellings(ids: pa.Array, kind: str) -> list[str]:
    """Warnings of ids that differ only in case or blanks, or carry a byte order mark."""
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
