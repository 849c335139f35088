"""From ratings to labels: which rows are positives."""

from collections.abc import Sequence

import numpy as np

from hkjax.data.config import DataConfig
from hkjax.data.rows import Rows
from hkjax.errors import InputError

# Fewer positives than that are probably a mistake.
_FEW = 0.05


def label_ratings(
    tables: Sequence[Rows], config: DataConfig, source: str, rates: bool
) -> tuple[list[np.ndarray], str | None]:
    """Labels the rows of several tables by one threshold.

    Args:
        tables: where one has no ratings, its rows are all positives.
        config: its `threshold`.
        source: of the first table, for messages.
        rates: ratings are opinions or labels; without a threshold, counts make every row a positive.

    Returns:
        int64 [rows] of each table, 1 for a positive and 0 otherwise; and a remark on what was decided.

    Raises:
        InputError: the threshold leaves no row as a positive, or a label is neither 0 nor 1.
    """
    known = [rows.rating for rows in tables if rows.rating is not None and rows.rating.size]
    all_positive = [np.ones(len(rows.user), np.int64) for rows in tables]
    threshold = config.threshold
    if threshold is not None and not known:
        raise InputError(f"data.threshold {threshold:g}: {source} has no ratings (--columns=rating:NAME names them)")
    if not known or (threshold is None and not rates and config.duplicates != "count"):
        return all_positive, None
    low, high = min(float(x.min()) for x in known), max(float(x.max()) for x in known)
    remark = None
    if threshold is None:
        if low in (0, 1) and high in (0, 1) and all(np.isin(x, (0, 1)).all() for x in known):
            threshold = 1.0
        elif not rates or config.duplicates == "count":
            return all_positive, None
        else:
            threshold = _upper_quarter(np.unique(np.concatenate([np.unique(x) for x in known])))
            remark = f"ratings go from {low:g} to {high:g}: {threshold:g} and more count as positive (data.threshold)"
            share = sum((x >= threshold).sum() for x in known) / sum(x.size for x in known)
            if share < _FEW:
                remark += f"; that is {share:.1%} of all: is one of the ratings out of its range?"
    elif threshold > high:
        raise InputError(f"data.threshold {threshold:g} is above every rating of {source} ({low:g} to {high:g})")
    elif threshold <= low:
        remark = f"data.threshold {threshold:g} is not above any rating ({low:g} to {high:g}): every row is a positive"
    labels = [
        ones if rows.rating is None else (rows.rating >= threshold).astype(np.int64)
        for rows, ones in zip(tables, all_positive, strict=True)
    ]
    return labels, remark


def _upper_quarter(values: np.ndarray) -> float:
    """The smallest rating in the upper quarter of the scale, ends included."""
    return float(values[values >= values[0] + 0.75 * (values[-1] - values[0])][0])
