"""Choices of the linear item models."""

import dataclasses
from typing import Annotated, Literal

from hkjax.ranges import Checked, Count, Range, Weight

Dropout = Annotated[float, Range(low=0, below=1)]
Exponent = Annotated[float, Range(low=-2, high=2)]


@dataclasses.dataclass(frozen=True)
class Searched(Checked):
    """Choices that a search may replace.

    Attributes:
        search: seconds to search for the settings on the validation part before training; 0 keeps those given.
    """

    search: Weight = 0.0


@dataclasses.dataclass(frozen=True)
class ItemKNNConfig(Searched):
    """ItemKNN's choices.

    Attributes:
        name: this model's name in a configuration.
        neighbours: sources kept for each target.
        user_power: a user counts by 1 / (length of the history)^user_power.
        alpha: exponent of the source's degree; the target's is 1 - alpha. 1/2 is the cosine.
        shrinkage: added to the denominator; damps what few users say.
    """

    name: Literal["item_knn"] = "item_knn"
    neighbours: Count = 200
    user_power: Exponent = 0.5
    alpha: Exponent = 0.5
    shrinkage: Weight = 10.0


@dataclasses.dataclass(frozen=True)
class RP3betaConfig(Searched):
    """RP3beta's choices.

    Attributes:
        name: this model's name in a configuration.
        neighbours: sources kept for each target.
        alpha: exponent of the walk's probabilities.
        beta: exponent of the target's degree.
    """

    name: Literal["rp3beta"] = "rp3beta"
    neighbours: Count = 200
    alpha: Exponent = 0.7
    beta: Exponent = 0.4


@dataclasses.dataclass(frozen=True)
class EASEConfig(Searched):
    """EASE's choices.

    Attributes:
        name: this model's name in a configuration.
        candidates: sources that an item is regressed on, its nearest; 0 for all others, which takes a dense matrix.
        neighbours: sources kept for each target where all others are candidates: the largest in magnitude.
        l2: ridge penalty, as a multiple of the Gram matrix's mean diagonal entry.
        dropout: chance p of EDLAE's dropout, which adds p / (1 - p) G_ii to the penalty of item i.
        user_power, item_power: exponents b and a of Z = D_u^-b X D_i^-a, which is regressed instead of X.
        target_power: exponent c of the target's degree, by which its weights grow.
    """

    name: Literal["ease"] = "ease"
    candidates: Annotated[int, Range(low=0)] = 0
    neighbours: Count = 1000
    l2: Annotated[float, Range(above=0)] = 3.0
    dropout: Dropout = 0.0
    user_power: Exponent = 0.0
    item_power: Exponent = 0.0
    target_power: Exponent = 0.0


@dataclasses.dataclass(frozen=True)
class EDLAEConfig(EASEConfig):
    """EDLAE's choices: those of EASE, with dropout.

    Attributes:
        name: this model's name in a configuration.
        l2: ridge penalty, as a multiple of the Gram matrix's mean diagonal entry.
        dropout: chance p of EDLAE's dropout, which adds p / (1 - p) G_ii to the penalty of item i.
    """

    name: Literal["edlae"] = "edlae"  # type: ignore[assignment]
    l2: Annotated[float, Range(above=0)] = 2.0
    dropout: Dropout = 0.25


@dataclasses.dataclass(frozen=True)
class SLIMConfig(Searched):
    """SLIM's choices.

    Attributes:
        name: this model's name in a configuration.
        candidates: sources that an item is regressed on, its nearest.
        l1, l2: penalties of the elastic net, as multiples of the Gram matrix's mean diagonal entry.
        user_power: exponent b of Z = D_u^-b X, which is regressed instead of X.
        sweeps: passes of coordinate descent over an item's candidates.
    """

    name: Literal["slim"] = "slim"
    candidates: Count = 100
    l1: Weight = 0.1
    l2: Weight = 1.0
    user_power: Exponent = 0.0
    sweeps: Count = 20


@dataclasses.dataclass(frozen=True)
class IALSConfig(Searched):
    """iALS's choices.

    Attributes:
        name: this model's name in a configuration.
        dim: size of the vectors.
        alpha: how much more an interaction counts than its absence.
        l2: penalty of the vectors.
        rounds: times that users and items are solved for.
        conjugate_steps: steps of conjugate gradients in each solution.
    """

    name: Literal["ials"] = "ials"
    dim: Count = 64
    alpha: Annotated[float, Range(above=0)] = 10.0
    l2: Annotated[float, Range(above=0)] = 1.0
    rounds: Count = 15
    conjugate_steps: Count = 3
