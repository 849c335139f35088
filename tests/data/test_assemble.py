"""What becomes of rows: labels, dislikes, duplicates, splits; and of knowledge: the catalogue, fields, names."""

import numpy as np
import pyarrow as pa
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.dataset import continue_split, fingerprint
from hkjax.data.prepared import load_dataset, save_dataset
from hkjax.data.read import dataset_from_tables
from hkjax.errors import InputError

USERS = np.repeat(np.arange(6), 10)
ITEMS = np.tile(np.arange(10), 6)
RATINGS = np.where((USERS + ITEMS) % 3 == 0, 2.0, 5.0)
MET = {"user": USERS, "item": ITEMS, "rating": RATINGS, "timestamp": np.arange(60) * 86400}
PARTS = ("train", "validation", "test")


def build(met=MET, items=None, triples=(), **config):
    return dataset_from_tables(met, items, triples, DataConfig("tables", **config))


def rows(*parts):
    return sorted((int(u), int(i)) for part in parts for u, i in zip(part.users, part.items, strict=True))


def test_low_ratings_are_seen_and_neither_positive_nor_negative():
    data = build()
    low = [(u, i) for u, i, r in zip(USERS, ITEMS, RATINGS, strict=True) if r < 4]
    assert rows(*data.disliked) == sorted(low)
    assert all((getattr(data, part).labels == 1).all() for part in PARTS)
    assert rows(data.seen(*PARTS)) == sorted(zip(USERS, ITEMS, strict=True))
    given = build(negatives="given")
    labels = {(u, i): y for part in PARTS for u, i, y in zip(*getattr(given, part), strict=True)}
    assert labels == {(u, i): int(r >= 4) for u, i, r in zip(USERS, ITEMS, RATINGS, strict=True)}


def test_labels_thresholds_and_counts():
    assert len(rows(*build({**MET, "label": RATINGS > 2}).disliked)) == 20
    assert len(rows(*build(threshold=2.0).disliked)) == 0
    plays = {"user": USERS, "artist": ITEMS, "plays": RATINGS}
    assert len(rows(*build(plays).disliked)) == 0
    assert len(rows(*build({"user": USERS, "item": ITEMS}).disliked)) == 0


@pytest.mark.parametrize(("duplicates", "liked"), [("highest", True), ("latest", False), ("count", True)])
def test_of_duplicates_one_stands(duplicates, liked):
    twice = {name: np.append(MET[name], extra) for name, extra in zip(MET, (0, 1, 1.0, 10**8), strict=True)}
    data = build(twice, duplicates=duplicates)
    assert ((0, 1) not in rows(*data.disliked)) == liked
    assert len(rows(data.seen(*PARTS))) == 60


def test_counted_duplicates_are_ratings():
    met = {"user": np.r_[USERS, USERS], "item": np.r_[ITEMS, np.full(60, 3)]}
    data = build(met, duplicates="count", threshold=2.0)
    assert {i for _, i in rows(*(getattr(data, part) for part in PARTS))} == {3}


def test_the_k_core_leaves_no_user_with_fewer_positives():
    met = {"user": np.r_[USERS, 77, 77], "item": np.r_[ITEMS, 1, 88]}
    data = build(met, k_core=3)
    assert data.names.users == list("012345")
    assert len(rows(data.train, data.validation, data.test)) == 60


def test_temporal_splits_cut_at_one_time_for_all():
    data = build(split="temporal", threshold=1.0)
    assert [len(getattr(data, part).users) for part in PARTS] == [36, 12, 12]
    assert data.train.users.max() <= data.validation.users.min() <= data.test.users.min()
    dated = build(split="temporal", threshold=1.0, dates=("1970-01-11", "1970-02-10"))
    assert [len(getattr(dated, part).users) for part in PARTS] == [10, 30, 20]


def test_leaving_one_out_holds_each_users_last_positives():
    data = build(split="leave_one_out")
    assert [len(getattr(data, part).users) for part in PARTS[1:]] == [6, 6]
    for user in range(6):
        liked = ITEMS[(user == USERS) & (RATINGS > 2)]
        assert data.test.items[data.test.users == user] == liked[-1]
        assert data.validation.items[data.validation.users == user] == liked[-2]


def test_given_parts_are_kept():
    test = {"user": [0, 1], "item": [3, 30]}
    data = dataset_from_tables(MET, config=DataConfig("tables", threshold=1.0), test=test)
    assert rows(data.test) == [(0, 3), (1, 10)]
    assert len(rows(data.train, data.validation)) == 59
    both = dataset_from_tables(
        MET, config=DataConfig("tables", threshold=1.0), test=test, validation={"user": [2], "item": [0]}
    )
    assert rows(both.validation) == [(2, 0)]


def test_the_catalogue_is_the_items_table_and_every_item_met():
    items = {"id": [9, 10, 11, 2], "title": ["Nine", "Ten", "Eleven", ""], "genre": ["a|b", "b", "a", None]}
    data = build(items=items, triples=[{"head": [0, 11], "relation": ["cast", "cast"], "tail": ["x", "y"]}])
    assert data.names.items == [str(k) for k in range(12)]
    assert data.names.entities == [*"012345678", "Nine", "Ten", "Eleven", "x", "y", "a", "b"]
    assert data.names.relations == ["cast", "genre"]
    assert data.triples.tolist() == [[0, 0, 12], [9, 1, 14], [9, 1, 15], [10, 1, 15], [11, 0, 13], [11, 1, 14]]
    assert data.fields == {"genre": ("genre",)}


def test_columns_of_an_items_table_become_named_values():
    n = 60
    items = {
        "item_id": np.arange(n),
        "name": [f"Film {k}" for k in range(n)],
        "year": 1900 + np.arange(n),
        "stars": np.arange(n) % 5,
        "minutes": np.arange(n) * 2.5,
        "released": [f"{1900 + k}-05-01" for k in range(n)],
        "cast": [[f"p{k % 7}", f"p{k % 5}"] for k in range(n)],
        "description": [f"The story of film {k}" for k in range(n)],
    }
    data = build(items=items)
    assert list(data.fields) == ["year", "stars", "minutes", "released", "cast"]
    values = {field: set() for field in data.fields}
    for _, relation, tail in data.triples:
        values[data.names.relations[relation]].add(data.names.entities[tail])
    assert values["year"] == values["released"] == {f"{decade}s" for decade in range(1900, 1960, 10)}
    assert values["stars"] == set("01234")
    assert values["minutes"] == {"0 to 29.5", "29.5 to 59", "59 to 88.5", "88.5 to 118", "118 to 147.5"}
    assert values["cast"] == {f"p{k}" for k in range(7)}
    assert any("'description'" in warning for warning in data.warnings)


def test_n_triples_are_read_and_labels_are_names(tmp_path):
    path = tmp_path / "kg.nt"
    path.write_text(
        "# films\n"
        "<http://x.org/f/1> <http://x.org/r/director> <http://x.org/p/Agn%C3%A8s_Varda> .\n\n"
        '<http://x.org/f/1> <http://www.w3.org/2000/01/rdf-schema#label> "Cl\\"o"@fr .\n'
        '_:b0 <http://x.org/r/year> "1962"^^<http://www.w3.org/2001/XMLSchema#gYear> . # a literal\n'
    )
    links = {"item": ["1"], "entity": ["http://x.org/f/1"]}
    data = dataset_from_tables(MET, triples=[str(path)], links=links)
    assert data.names.relations == ["director", "year"]
    assert data.names.entities[10:] == ["1962", "_:b0", "Agnès Varda"]
    assert data.names.entities[1] == 'Cl"o'
    assert data.names.items[1] == "1"
    assert [1, 0, 12] in data.triples.tolist()


def test_names_come_from_a_table():
    names = {"key": ["3", "cast", "x"], "called": ["Three", "has actor", "X"]}
    data = dataset_from_tables(MET, triples=[{"h": [3], "r": ["cast"], "t": ["x"]}], names=names)
    assert (data.names.entities[3], data.names.entities[10], data.names.relations) == ("Three", "X", ["has actor"])


def test_times_are_read_in_every_unit_and_zone():
    def last(times):
        met = {"user": ["u"] * 3, "item": ["a", "b", "c"], "time": times}
        return dataset_from_tables(met, config=DataConfig("tables", split="leave_one_out")).test.items[0]

    base = 1_600_000_000
    for scale in (1, 10**3, 10**6, 10**9):
        assert last(np.array([base, base + 2, base + 1]) * scale) == 1
    assert last(["2020-01-01T23:00:00-05:00", "2020-01-02T01:00:00Z", "2020-01-02 03:59"]) == 0
    assert last(["2020-01-01", "2020-01-03 00:00:00.123456789", "2020-01-02T00:00+02"]) == 1
    assert last(["9.783E8", " 9.784E8", "+9.785e8"]) == 2


def test_codes_are_no_ranges_and_ranges_have_different_names():
    items = {
        "id": np.arange(60),
        "brand_id": np.arange(60) // 2,
        "zip": [f"{500 + k // 2:05}" for k in range(60)],
        "price": 100000 + np.arange(60),
    }
    data = dataset_from_tables(MET, items, config=DataConfig("tables"))
    values = {name: set() for name in data.names.relations}
    for _, relation, tail in data.triples:
        values[data.names.relations[relation]].add(data.names.entities[tail])
    assert values["brand_id"] == {str(k) for k in range(30)}
    assert "00500" in values["zip"]
    assert len(values["price"]) == 5
    assert any("'price' are cut into 5 ranges" in warning for warning in data.warnings)


def test_texts_and_lists_of_any_arrow_type_are_read():
    text = pa.array(["x", "y", "x"])
    plain = dataset_from_tables(MET, {"id": [0, 1, 2], "genre": text, "cast": [["a"], ["b"], ["a"]]})
    for kind in (pa.string_view(), pa.large_string(), pa.dictionary(pa.int8(), pa.string_view())):
        genre = text.cast(pa.string_view()).dictionary_encode() if pa.types.is_dictionary(kind) else text.cast(kind)
        cast = pa.array([["a"], ["b"], ["a"]], pa.list_(pa.string(), 1))
        data = dataset_from_tables(MET, pa.table({"id": [0, 1, 2], "genre": genre, "cast": cast}))
        assert fingerprint(data) == fingerprint(plain)


def test_triples_need_no_header_if_they_are_numbers(tmp_path):
    (tmp_path / "kg.txt").write_text("0 0 90\n1 0 91\n")
    data = dataset_from_tables(MET, triples=[str(tmp_path / "kg.txt")])
    assert data.triples.tolist() == [[0, 0, 10], [1, 0, 11]]


def test_validation_rows_that_are_in_test_are_left_out():
    both = {"user": [0, 1], "item": [3, 4]}
    data = dataset_from_tables(
        MET, config=DataConfig("tables", threshold=1.0), test={"user": [0], "item": [3]}, validation=both
    )
    assert rows(data.validation) == [(1, 4)]
    assert any("1 validation interactions are also in test" in warning for warning in data.warnings)


def test_an_id_0_beside_ids_from_1_on_is_noticed():
    ids = np.r_[np.repeat(np.arange(1, 6), 20), 0]
    data = build({"user": ids, "item": np.r_[np.tile(np.arange(1, 21), 5), 3]})
    assert any("user 0 has 1 rows, far fewer than the others" in warning for warning in data.warnings)
    assert not any("user 0" in warning for warning in build().warnings)


def test_several_sources_are_one_table(tmp_path):
    (tmp_path / "old.csv").write_text("user,item\n" + "".join(f"{u},{i}\n" for u, i in zip(USERS, ITEMS, strict=True)))
    (tmp_path / "new.csv").write_text("item,user\n77,0\n")
    data = dataset_from_tables(f"{tmp_path}/old.csv,{tmp_path}/new.csv")
    assert (data.n_users, data.names.items[-1]) == (6, "77")


def test_going_on_keeps_in_train_what_was_trained_on():
    old = build({name: column[:40] for name, column in MET.items()}, threshold=1.0)
    grown = {name: np.append(column, extra) for (name, column), extra in zip(MET.items(), (9, 99, 5.0, 0), strict=True)}
    data = continue_split(build(grown, threshold=1.0), old)
    by_name = {(data.names.users[u], data.names.items[i]) for u, i in rows(data.train)}
    assert {(old.names.users[u], old.names.items[i]) for u, i in rows(old.train)} <= by_name
    assert len(rows(data.train, data.validation, data.test)) == 61
    assert data.warnings[-1] == "3 users and 1 items are new since the earlier run"
    fewer = continue_split(build({name: column[10:] for name, column in MET.items()}, threshold=1.0), old)
    assert any("1 of the earlier run's 4 users are not in these data" in warning for warning in fewer.warnings)


def test_a_broken_folder_of_prepared_data_is_named(tmp_path):
    data = build()
    save_dataset(data, tmp_path / "data")
    assert fingerprint(load_dataset(tmp_path / "data")) == fingerprint(data)
    (tmp_path / "data/triples.npy").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"data: the data kept here are damaged \(.*triples.npy: not as it was written"
    ):
        load_dataset(tmp_path / "data")
