"""HAKG's choices, and those of its official code."""

import dataclasses
from typing import Annotated, Any, Literal

from hkjax.precision import MatmulDtype
from hkjax.ranges import Checked, Count, Fraction, Range, Weight


@dataclasses.dataclass(frozen=True)
class HAKGConfig(Checked):
    """The choices that slides and official code state, leave open or differ in.

    Attributes:
        name: this model's name in a configuration.
        dim: embedding size d.
        layers: rounds of propagation L; the result is the sum of layers 0 to L.
        message: the message of an edge (h, r, t). `slides`: log_{e_h}(e_t (+) e_r). `official`:
            log_h(project(exp_h(e_t) (+) exp_h(e_r))). `euclidean`: t + r - h, the ablation without
            hyperbolic geometry; the angle loss, if any, stays that of the ball.
        ball_eps: distance of the official projection from the boundary; the official code has
            4e-3 in float32 and 1e-5 in float64.
        item_aggregation: aggregation of an item's users, on the collaborative side. `mean` (slides) or
            `sum` (official).
        dual_items: keep an item's collaborative embedding apart from its entity's. Without it,
            items are only their entities.
        gate: fuse both by g * c + (1 - g) * e with g = sigmoid(W1 c + W2 e), of the previous layer (W1 and W2
            are named as in the official code; the slides have them the other way round)
            and in the tangent space: a gated mixture of ball points may leave the ball.
            Without it, by their mean.
        normalize_layers: scale each layer's rows to length 1 (official).
        message_dropout: dropout rate of the entries of each layer (official: 0.1).
        sampling: the part that a step propagates. `full`: the whole graph. `neighbours`: only the batch, with some
            neighbours of each node (see `hkjax.models.hakg.sampled`), for graphs too large for a step.
            Evaluation always propagates the whole graph.
        edge_keep, interaction_keep: the fraction of the knowledge graph's edges, and of interactions, that a
            step keeps (official: 0.5). Sums over interactions are divided by it.
        fan_outs: the most neighbours drawn of each node of the batch, of each of these, and so on, where `sampling`
            is `neighbours`; one count for each layer.
        negative_pool: the number of items drawn as a pool for the negatives, where `sampling` is `neighbours`.
        angle_weight: weight of the angle loss, a mean over pairs of an item and an attribute.
        angle_pairs: `attribute_apex` (slides): the item in the cone of its attribute. `both`
            (official): also the reverse.
        angle_space: vectors whose angles are taken. `ball`: exp_0 of the layer-0 embeddings.
            `parameter` (official): the embeddings themselves.
        angle: `exact`, or `clipped` as in the official code (see `cones.clipped_angle_of`).
        angle_mask: take each pair's angle over a fresh random half of the dimensions (official).
        aperture: K of the half-aperture.
        negatives: negatives drawn for each row.
        margin: margin of the negatives in the ranking loss.
        score: `sum_of_cosines`, cos(u, e_i) + cos(u, c_i), as in the loss, or
            `cosine_of_sum` (official), cos(u, e_i + c_i).
        matmul_dtype: type of the factors of dense products in the gate and the ranking loss. `bfloat16`
            rounds them, also on CPUs; sums and all of the ball's arithmetic stay float32.
    """

    name: Literal["hakg"] = "hakg"
    dim: Count = 64
    layers: Count = 3
    message: Literal["slides", "official", "euclidean"] = "slides"
    ball_eps: Annotated[float, Range(above=0, below=1)] = 4e-3
    item_aggregation: Literal["mean", "sum"] = "mean"
    dual_items: bool = True
    gate: bool = True
    normalize_layers: bool = False
    message_dropout: Annotated[float, Range(low=0, below=1)] = 0.0
    sampling: Literal["full", "neighbours"] = "full"
    edge_keep: Fraction = 0.5
    interaction_keep: Fraction = 0.5
    fan_outs: tuple[int, ...] = (8, 4, 2)
    negative_pool: Count = 16384
    angle_weight: Weight = 0.005
    angle_pairs: Literal["attribute_apex", "both"] = "attribute_apex"
    angle_space: Literal["ball", "parameter"] = "ball"
    angle: Literal["exact", "clipped"] = "exact"
    angle_mask: bool = False
    aperture: Annotated[float, Range(above=0)] = 0.1
    negatives: Count = 200
    margin: Annotated[float, Range(low=-1, high=1)] = 0.6
    score: Literal["sum_of_cosines", "cosine_of_sum"] = "sum_of_cosines"
    matmul_dtype: MatmulDtype = "float32"


# Choices that turn the defaults into the official code's model.
OFFICIAL: dict[str, Any] = {
    "message": "official",
    "item_aggregation": "sum",
    "normalize_layers": True,
    "message_dropout": 0.1,
    "angle_pairs": "both",
    "angle_space": "parameter",
    "angle": "clipped",
    "angle_mask": True,
    "score": "cosine_of_sum",
}
