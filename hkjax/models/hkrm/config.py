"""HKRM's choices; equations are numbered as in the paper (see hkjax/models/hkrm/equations.py)."""

import dataclasses
from typing import Literal

from hkjax.ranges import Checked, Count, Weight


@dataclasses.dataclass(frozen=True)
class HKRMConfig(Checked):
    """The choices that the paper states, leaves open, or contradicts itself about.

    Attributes:
        name: this model's name in a configuration.
        dim: embedding size d.
        relation: R_j of eq. 4 and 5. `diagonal`: a vector (DistMult). `full`: a d x d matrix, as
            eq. 4 is printed (o^T R q).
        pooling: eq. 4 over the query's items. `mean`: the mean of the items' softmaxes. `joint`:
            one softmax with the sum over items inside its numerator and denominator.
        query_weight: p of eq. 2. `item`: one per item. `interaction`: one per user-item pair, the
            literal reading. `uniform`: none, every item weighs 1/m.
        missing_fields: fields in which an item has no value. `mask`: probability 0, and the
            uniform distribution where an item has no field at all. `zero_logit`: o_j = 0 and so
            logit 0, the literal reading.
        leave_one_out: take the target out of its own query in training. Without it q_s contains
            e_t in training and never in test.
        divergence: L_a of eq. 9. `kl`: KL(P(A|q), P^(A|t)), over the fields that the target has.
            `cross_entropy`: eq. 9 as printed; it omits the entropy as a constant, though it is none.
        levels: `both`; `item` (HKRM-Item) or `attribute` (HKRM-Attr) score by one level only.
        divergence_weight: lambda1 of eq. 13; 0 is HKRM-woKL.
        sampling: which values a step sums (eq. 3). `full`: those of all items. `neighbours`: those of the batch's items
            and histories, some of each drawn again for every step (see `hkjax.models.hkrm.values`), for data with too
            many items for a step. Evaluation always sums all.
        fan_out: the most values drawn of each item, where `sampling` is `neighbours`.
        l2: lambda2 of eq. 13, on the tables of entities, relations and, if there are any, item biases.
        item_bias: add a learned b_t to eq. 10 (not in the paper).
    """

    name: Literal["hkrm"] = "hkrm"
    dim: Count = 50
    relation: Literal["diagonal", "full"] = "diagonal"
    pooling: Literal["mean", "joint"] = "mean"
    query_weight: Literal["item", "interaction", "uniform"] = "item"
    missing_fields: Literal["mask", "zero_logit"] = "mask"
    leave_one_out: bool = True
    divergence: Literal["kl", "cross_entropy"] = "kl"
    levels: Literal["both", "item", "attribute"] = "both"
    divergence_weight: Weight = 1.0
    sampling: Literal["full", "neighbours"] = "full"
    fan_out: Count = 8
    l2: Weight = 1e-5
    item_bias: bool = False
