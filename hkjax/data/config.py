"""Configuration of the data: sources, labels and split."""

import dataclasses
from typing import Annotated, Literal

from hkjax.ranges import Checked, Range


@dataclasses.dataclass(frozen=True)
class TablesConfig:
    """Sources of `data.format=tables`, as described in `hkjax.data.sources.tables`.

    Attributes:
        interactions: one row per interaction: a user, an item, and maybe a rating or label and a time.
        items: one row per item; further columns are attributes. Empty for none.
        triples: sources of (head, relation, tail); heads and tails are ids of items or entities.
        links: a table of (item, entity) that maps items to entities of the triples, such as RecBole's .link.
        names: a table of (id, name) for items, entities and relations.
        validation, test: interactions that are given separately, as those parts.
        header: the interactions' column names, where their files have no header row.
        columns: the column of a role, where its name is not a usual one. Roles are `user`, `item`, `rating`,
            `label`, `time`, and of the items table `id` and `name`.
        separator: separator of the values in a multi-valued text column of the items table.
    """

    interactions: str = ""
    items: str = ""
    triples: tuple[str, ...] = ()
    links: str = ""
    names: str = ""
    validation: str = ""
    test: str = ""
    header: tuple[str, ...] = ()
    columns: dict[str, str] = dataclasses.field(default_factory=dict)
    separator: str = "|"


@dataclasses.dataclass(frozen=True)
class DataConfig(Checked):
    """Source, labels and split of the data.

    Attributes:
        format: `tables` (see `tables`), `ripplenet` (ratings_final, kg_final), `kgat` (train.txt, test.txt,
            kg_final), or `synthetic` (generated, see `hkjax.data.synthetic`).
        path: the folder of `ripplenet` and `kgat`; unused otherwise.
        tables: the sources of `tables`.
        threshold: the lowest rating of a positive. None: labels of 0 and 1 stand; of other ratings the upper
            quarter of the scale is positive, 4 and 5 of 1 to 5; without ratings, every row is positive.
        duplicates: of one user and item keep the `highest` rating or the `latest` row (by time, or else in the
            file), or `count` the rows; the count is then the rating.
        k_core: drop the rows of users and items with fewer positives, until none is left (He and McAuley, WWW
            2016). Items without a row stay in the catalogue.
        negatives: rows of label 0 for models that learn from both labels. `drawn`: for each positive an item that
            the user never interacted with (Wang et al., RippleNet, CIKM 2018), unless the layout has such draws.
            `given`: rows that the user rated below the threshold.
        split: `random` rows, as in HKRM's paper; `per_user` rows (Wang et al., KGAT, KDD 2019); `temporal`, by time,
            one cut for all users (Meng et al., RecSys 2020); `leave_one_out`, each user's last positive for test
            and the one before for validation (He et al., NCF, WWW 2017). Where a test part is given, only the
            rest is cut, by user if `random`; `official` then validates on the test part, as in the official HAKG;
            its figures are thus chosen on the test part.
        ratios: train : validation : test; where the test part is given, only the first two count.
        dates: with `temporal`, where validation and test begin, such as 2020-01-31, instead of ratios.
        fields: the attribute fields and their relations, see `hkjax.data.fields`. Empty: the items table's columns.
    """

    format: Literal["tables", "ripplenet", "kgat", "synthetic"] = "synthetic"
    path: str = ""
    tables: TablesConfig = dataclasses.field(default_factory=TablesConfig)
    threshold: float | None = None
    duplicates: Literal["highest", "latest", "count"] = "highest"
    k_core: Annotated[int, Range(low=0)] = 0
    negatives: Literal["drawn", "given"] = "drawn"
    split: Literal["random", "per_user", "temporal", "leave_one_out", "official"] = "random"
    ratios: tuple[float, ...] = (6, 2, 2)
    dates: tuple[str, ...] = ()
    fields: dict[str, tuple[int | str, ...]] = dataclasses.field(default_factory=dict)
