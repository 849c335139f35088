"""HAKG's propagation edge by edge in NumPy, from the slides' equations."""

import numpy as np

from hkjax.geometry import poincare as ball


def message(config, h, r, t):
    if config.message == "euclidean":
        return t + r - h
    e_h, e_r, e_t = (ball.exp_map_zero(x, 1.0) for x in (h, r, t))
    return ball.log_map(e_h, ball.mobius_add(e_t, e_r, 1.0), 1.0)


def propagate_by_hand(config, data, params, inputs):
    """The sums over all layers of users, entities and items, from the edges that the inputs hold."""
    p = {name: np.asarray(x) for name, x in params["params"].items()}
    user, entity = p["user"], p["entity"]
    item = p["item"] if config.dual_items else entity[: data.n_items]
    positives = data.train.positives()
    of_user = np.maximum(np.bincount(positives.users, minlength=data.n_users), 1)
    of_item = np.maximum(np.bincount(positives.items, minlength=data.n_items), 1)
    total = [user, entity, item]
    for layer in range(config.layers):
        heads, tails, relations = (np.asarray(x) for x in (inputs.graph.rows, inputs.graph.columns, inputs.graph.attr))
        next_entity = np.zeros_like(entity)
        np.add.at(next_entity, heads, message(config, entity[heads], p["relation"][relations], entity[tails]))
        next_entity /= np.maximum(np.bincount(heads, minlength=data.n_entities), 1)[:, None]
        ours = entity[: data.n_items]
        if not config.dual_items:
            fused = ours
        elif config.gate:
            gate = 1 / (1 + np.exp(-(item @ p["item_gate"][layer] + ours @ p["entity_gate"][layer])))
            fused = gate * item + (1 - gate) * ours
        else:
            fused = (item + ours) / 2
        kept = list(zip(inputs.interactions.rows.tolist(), inputs.interactions.columns.tolist(), strict=True))
        next_user, next_item = np.zeros_like(user), np.zeros_like(item)
        for u, i in kept:
            scale = len(positives.users) / len(kept)
            next_user[u] += scale * fused[i] / of_user[u]
            next_item[i] += scale * user[u] / (of_item[i] if config.item_aggregation == "mean" else 1)
        if not config.dual_items:
            next_item = next_entity[: data.n_items]
        user, entity, item = next_user, next_entity, next_item
        total = [a + b for a, b in zip(total, (user, entity, item), strict=True)]
    return total
