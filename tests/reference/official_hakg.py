"""What the official HAKG computed on a small graph, and our model built from the same file."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from hkjax.data.assemble import build_dataset
from hkjax.data.config import DataConfig
from hkjax.data.dataset import Interactions
from hkjax.geometry import poincare as ball
from hkjax.models.hakg import propagation
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.models.hakg.parameters import HAKG
from hkjax.ops.rows import l2_normalize


class OfficialCase:
    """One file, with our model built from it."""

    def __init__(self, path):
        self.path, self.z = path, dict(np.load(path))
        z = self.z
        # A file computed in float32 is compared as such; the others in float64, unless cast below.
        self.dtype = z["param/all_embed"].dtype
        n_users, n_items, n_relations = (int(z[k]) for k in ("n_users", "n_items", "n_relations"))
        positives = np.column_stack([z["train_pairs"], np.ones(len(z["train_pairs"]), int)])
        test = np.column_stack([z["test_pairs"], np.ones(len(z["test_pairs"]), int)])
        data = build_dataset(positives, test, z["triples_raw"], DataConfig("kgat", ratios=(8, 2)), seed=0)
        train = Interactions(*positives.T.astype(np.int32))
        sizes = {"n_users": n_users, "n_items": n_items, "n_entities": int(z["n_entities"])}
        self.data = type(data)(**{**vars(data), **sizes, "n_relations": (n_relations - 1) // 2, "train": train})
        gates = sorted({k.split(".")[2] for k in z if k.startswith("param/gcn.convs")})
        self.config = HAKGConfig(
            **OFFICIAL,
            dim=z["param/all_embed"].shape[1],
            layers=len(gates),
            ball_eps=float(z["ball_eps"]),
            margin=float(z["margin"]),
            angle_weight=float(z["angle_loss_w"]),
            edge_keep=1.0,
            interaction_keep=1.0,
        )
        params = {
            "user": z["param/all_embed"][:n_users],
            "entity": z["param/all_embed"][n_users:],
            "item": z["param/item_emb_cf"],
            "relation": self.relations(z["param/gcn.relation_weight"], z),
        }
        for name, side in (("item_gate", 1), ("entity_gate", 2)):
            params[name] = np.stack([z[f"param/gcn.convs.{layer}.gate{side}.weight"].T for layer in gates])
        self.params = {"params": jax.tree.map(jnp.asarray, params)}
        recommender = hakg(self.config, self.data, batch_size=int(z["batch"]))
        # They divide by the degree in float32 whatever the precision of the rest.
        degree = np.ones(n_users, self.dtype)
        degree[z["interact/row"]] = 1 / z["interact/val"]
        self.recommender = recommender._replace(inputs=recommender.inputs._replace(user_degree=jnp.asarray(degree)))
        self.model = HAKG(self.config, *sizes.values(), self.data.n_relations)

    def relations(self, weight, z):
        """Their relation rows in the order of ours: (edge type - 1) of each of our relation ids."""
        n = self.data.n_relations
        order = np.zeros(2 * n, int)
        types = {(int(h), int(t), int(k)): k for h, t, k in zip(*z["edge_index"], z["edge_type"], strict=True)}
        kinds = {}
        for h, t, k in types:
            kinds.setdefault((h, t), set()).add(k)
        for relation in range(n):
            rows = z["triples_raw"][z["triples_raw"][:, 1] == relation]
            ahead = set.intersection(*(kinds[int(h), int(t)] for h, _, t in rows))
            behind = set.intersection(*(kinds[int(t), int(h)] for h, _, t in rows))
            assert len(ahead) == len(behind) == 1
            order[relation], order[relation + n] = ahead.pop() - 1, behind.pop() - 1
        return weight[order]

    @functools.cached_property
    def propagated(self):
        return _propagated(self.model, self.params, self.recommender.inputs)


@functools.partial(jax.jit, static_argnums=0)
def _propagated(model, params, inputs):
    """Every layer before its rows are normalised, their sum, and the sum that the model itself computes."""
    p = model.apply(params)
    raw, x = [], propagation.layer_0(p)
    total, whole = x, propagation.KeptEdges(inputs, 1.0)
    for hop in range(model.config.layers):
        gates = tuple(gate[hop] for gate in p.gates)
        raw.append(propagation.layer(model.config, p.relation, gates, x, whole))
        x = propagation.Embeddings(*map(l2_normalize, raw[-1]))
        total = jax.tree.map(jnp.add, total, x)
    return raw, total, propagation.propagate(model.config, p, inputs, None)


def messages_with_their_factors(config, relation, entity, graph, train):
    """The official code's gradients: none flow through the conformal factors of its exp and log maps."""
    h, t, r = entity[graph.rows], entity[graph.columns], relation[graph.attr]
    head = ball.project(ball.exp_map_zero(h, 1.0), 1.0, config.ball_eps)
    factor = jax.lax.stop_gradient(ball.conformal_factor(head, 1.0))[:, None] / 2
    tail, turned = (ball.mobius_add(head, ball.exp_map_zero(factor * x, 1.0), 1.0) for x in (t, r))
    reached = ball.project(ball.mobius_add(tail, turned, 1.0), 1.0, config.ball_eps)
    messages = ball.log_map_zero(ball.mobius_add(-head, reached, 1.0), 1.0) / factor
    count = jnp.bincount(graph.rows, length=len(entity))
    return jnp.zeros_like(entity).at[graph.rows].add(messages) / jnp.maximum(count, 1)[:, None]
