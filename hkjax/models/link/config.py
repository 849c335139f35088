"""LINK's choices."""

import dataclasses
from typing import Annotated, Literal

from hkjax.models.linear.config import Dropout, Exponent, Searched
from hkjax.ranges import Count, Range, Weight


@dataclasses.dataclass(frozen=True)
class LINKConfig(Searched):
    """LINK's choices; a part of weight 0 is left out.

    Attributes:
        name: this model's name in a configuration.
        co_occurrence: weight of ItemKNN's part.
        neighbours: sources that ItemKNN keeps for each target.
        user_power: a user counts by 1 / (length of the history)^user_power in ItemKNN.
        alpha: exponent of the source's degree in ItemKNN; the target's is 1 - alpha.
        shrinkage: added to ItemKNN's denominator.
        regression: weight of EASE's part.
        candidates: sources that EASE regresses an item on, its nearest; 0 for all others, which takes a dense matrix.
        l2: EASE's ridge penalty, as a multiple of the Gram matrix's mean diagonal entry.
        dropout: chance of EDLAE's dropout.
        regression_user_power: exponent b of Z = D_u^-b X D_i^-a, which is regressed.
        item_power, target_power: exponents a and c, as in EASE.
        content: weights of relations, by name: of two items' cosine of attributes, by tf-idf. R1/R2 is the relation of
            two steps, such as film/actor/film.
        cold_content: factor of the content of items without a user, which have little else.
        cold_neighbours: how much these items borrow of their nearest items' ItemKNN weights and counts of users.
        popularity: weight of an item's count of users.
        gate: weight of the learned part, a linear autoencoder; 0 for none, and then nothing is trained.
        dim: size of its vectors.
        room: items of a history that it reads in a step, at random.
        negatives: items that a step draws, for all its users.
        negative_power: they are drawn by (count + 1)^negative_power.
    """

    name: Literal["link"] = "link"
    co_occurrence: Weight = 1.0
    neighbours: Count = 500
    user_power: Exponent = 0.5
    alpha: Exponent = 0.85
    shrinkage: Weight = 30.0
    regression: Weight = 0.0
    candidates: Annotated[int, Range(low=0)] = 100
    l2: Annotated[float, Range(above=0)] = 3.0
    dropout: Dropout = 0.0
    regression_user_power: Exponent = 0.25
    item_power: Exponent = 0.0
    target_power: Exponent = 0.0
    content: dict[str, float] = dataclasses.field(default_factory=dict)
    cold_content: Weight = 1.0
    cold_neighbours: Weight = 0.5
    popularity: Weight = 0.0
    gate: Weight = 0.0
    dim: Count = 128
    room: Count = 32
    negatives: Count = 1500
    negative_power: Weight = 0.5
