"""Warm start from trained parameters after users, items and entities were added: known rows are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.errors import InputError
from hkjax.models.base import Params, Recommender


def warm_start(recommender: Recommender, trained: Recommender, params: Params) -> Recommender:
    """Returns the recommender with an `init` that starts from another one's trained parameters.

    Known rows are kept (`transfer_rows`). Rows of new items follow from their attributes if the model supports it, and
    all others are fresh.

    Args:
        recommender: the model of the current data.
        trained: the same model, of the data that it was trained on.
        params: its trained parameters.
    """
    fold_in, before = recommender.fold_in, {*trained.row_ids.get("item", ())}
    known = np.array([name in before for name in recommender.row_ids.get("item", ())])

    def init(key: jax.Array) -> Params:
        started = transfer_rows(recommender.init(key), params, recommender.row_ids, trained.row_ids)
        if fold_in is None or fold_in.predict_items is None or known.all():
            return started
        return fold_in.predict_items(started, recommender.inputs, jnp.asarray(known))

    return recommender._replace(init=init)


def transfer_rows(
    new: Params, old: Params, new_rows: Mapping[str, Sequence[str]], old_rows: Mapping[str, Sequence[str]]
) -> Params:
    """Replaces fresh rows by trained ones.

    Args:
        new: fresh parameters, of the model of the current users and items.
        old: trained parameters of the same model.
        new_rows, old_rows: ids of the parameters' rows; `Recommender.row_ids`.

    Returns:
        `new` with the rows of `old` for all ids that both have. Parameters without row ids are those of `old`.

    Raises:
        InputError: the models differ in more than their users, items, entities and relations.
    """

    def transfer(path: Any, fresh: jax.Array, trained: jax.Array) -> jax.Array:
        name = str(getattr(path[-1], "key", getattr(path[-1], "name", "")))
        rows = new_rows.get(name)
        if fresh.shape[rows is not None :] != trained.shape[rows is not None :]:
            raise InputError(f"initialize_from: {name} has shape {list(trained.shape)} there, {list(fresh.shape)} here")
        if rows is None:
            return trained
        place = {row: k for k, row in enumerate(old_rows[name])}
        source = np.array([place.get(row, -1) for row in rows])
        known = np.flatnonzero(source >= 0)
        return fresh.at[known].set(trained[source[known]])

    if str(jax.tree.structure(new)) != str(jax.tree.structure(old)):
        raise InputError("initialize_from: the model there has other parameters than this one")
    return jax.tree_util.tree_map_with_path(transfer, new, old)
