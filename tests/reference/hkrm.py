"""HKRM's equations 1 to 13, one row at a time in NumPy."""

import jax
import numpy as np

from hkjax.data.fields import attribute_fields


class HKRMByHand:
    """The equations for one configuration, data set and set of parameters (float64)."""

    def __init__(self, choices, data, params):
        self.c, self.data = choices, data
        self.p = jax.tree.map(np.asarray, params["params"])
        self.fields = attribute_fields(data.triples, data.n_items, data.fields, data.names.relations)
        self.n = len(self.fields.names)
        positives = data.train.positives()
        order = np.argsort(positives.users, kind="stable")
        self.history_user, self.history_item = positives.users[order], positives.items[order]

    def values(self, item):
        o, mask = np.zeros((self.n, self.c.dim)), np.zeros(self.n, bool)
        for i, j, value in zip(self.fields.item, self.fields.field, self.fields.value, strict=True):
            if i == item:
                o[j] += self.p["entity"][value]
                mask[j] = True
        return o, mask | (self.c.missing_fields == "zero_logit")

    def logits(self, item, vector):
        o, mask = self.values(item)
        r = self.p["relation"]
        r = np.stack([np.diag(v) for v in r]) if r.ndim == 2 else r
        return np.array([o[j] @ r[j] @ vector for j in range(self.n)]), mask

    def softmax(self, logits, mask):
        if not mask.any():
            return np.full(len(logits), 1 / len(logits))
        weights = np.where(mask, np.exp(logits), 0)
        return weights / weights.sum()

    def query(self, user, excluded):
        positions = np.flatnonzero((self.history_user == user) & (self.history_item != excluded))
        m = len(positions)
        if m == 0:
            return self.p["empty_query"], np.full(self.n, 1 / self.n)
        items = self.history_item[positions]
        rows = {"item": items, "interaction": positions}.get(self.c.query_weight)
        p = np.zeros(m) if rows is None else self.p["query_weight"][rows]
        w = np.exp(p / m) / np.exp(p / m).sum()
        vector = (w[:, None] * self.p["entity"][items]).sum(0)
        pairs = [self.logits(i, vector) for i in items]
        if self.c.pooling == "mean":
            return vector, np.mean([self.softmax(*pair) for pair in pairs], axis=0)
        joint = sum(np.where(mask, np.exp(logits), 0) for logits, mask in pairs)
        return vector, joint / joint.sum() if joint.sum() else np.full(self.n, 1 / self.n)

    def mlp(self, x):
        hidden = np.tanh(x @ self.p["hidden"]["kernel"] + self.p["hidden"]["bias"])
        return hidden @ self.p["output"]["kernel"] + self.p["output"]["bias"]

    def row(self, user, item, label, training):
        excluded = item if training and self.c.leave_one_out else -1
        q_s, preference = self.query(user, excluded)
        t_s, (logits, mask) = self.p["entity"][item], self.logits(item, self.p["entity"][item])
        importance = self.softmax(logits, mask)
        rel = 0.0
        if self.c.levels in ("both", "item"):
            rel += q_s @ t_s
        if self.c.levels in ("both", "attribute"):
            q_a, t_a = self.mlp(preference), self.mlp(importance)
            rel += q_a @ t_a
        if self.c.levels == "both":
            rel += q_s @ t_a + q_a @ t_s
        rel += self.p["bias"][item] if self.c.item_bias else 0
        inside = np.where(mask, preference, 0)
        if self.c.divergence == "kl":
            inside = inside / inside.sum() if inside.sum() > 0 else inside
            divergence = sum(a * np.log(a / b) for a, b in zip(inside, importance, strict=True) if a > 0)
        else:
            divergence = -sum(a * np.log(b) for a, b in zip(inside, importance, strict=True) if a > 0)
        entropy = np.log1p(np.exp(-rel)) if label else np.log1p(np.exp(rel))
        return rel, entropy, label * divergence
