import numpy as np
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.read import read_dataset
from hkjax.errors import InputError

RATINGS = "0 0 1\n0 1 0\n1 2 1\n1 0 0\n2 1 1\n"
CONFIG = DataConfig("ripplenet", fields={"author": (0,)})


def folder(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text)
    return DataConfig(CONFIG.format, str(tmp_path), fields=CONFIG.fields)


def test_every_row_lands_in_one_part(tmp_path):
    data = read_dataset(folder(tmp_path, ratings_final=RATINGS, kg_final="0 0 5\n"), seed=0)
    rows = [
        tuple(map(int, row)) for part in (data.train, data.validation, data.test) for row in zip(*part, strict=True)
    ]
    assert sorted(rows) == [(0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 2, 1), (2, 1, 1)]
    assert (data.n_users, data.n_items, data.n_entities, data.n_relations) == (3, 3, 4, 1)


def test_duplicates_are_dropped_and_counted_and_a_positive_row_wins(tmp_path):
    text = RATINGS + "0 0 1\n0 1 1\n"
    data = read_dataset(folder(tmp_path, ratings_final=text, kg_final="0 0 5\n0 0 5\n"), seed=0)
    parts = (data.train, data.validation, data.test)
    labels = {(int(u), int(i)): int(y) for part in parts for u, i, y in zip(*part, strict=True)}
    assert len(labels) == 5
    assert labels[0, 1] == 1
    assert data.warnings == ("2 duplicate interactions dropped", "1 duplicate triples dropped")


def test_a_kgat_folder_keeps_its_test_part(tmp_path):
    (tmp_path / "train.txt").write_text("0 0 1 2 3 4\n1 1 2 3 4 5\n")
    (tmp_path / "test.txt").write_text("0 5\n1 0\n")
    (tmp_path / "kg_final.txt").write_text("0 0 9\n")
    data = read_dataset(DataConfig("kgat", str(tmp_path), ratios=(8, 2)), seed=0)
    assert list(zip(data.test.users.tolist(), data.test.items.tolist(), strict=True)) == [(0, 5), (1, 0)]
    assert data.train.users.size == 8
    assert data.validation.users.size == 2
    assert (data.train.labels == 1).all()


def test_a_test_row_that_is_also_in_train_leaves_train(tmp_path):
    (tmp_path / "train.txt").write_text("0 0 1 2 3\n")
    (tmp_path / "test.txt").write_text("0 3 4\n")
    (tmp_path / "kg_final.txt").write_text("0 0 9\n")
    data = read_dataset(DataConfig("kgat", str(tmp_path), ratios=(6, 4)), seed=0)
    assert 3 not in data.train.items
    assert 3 not in data.validation.items
    assert "1 test interactions are also in train" in data.warnings[0]


def test_names_of_the_data_set_are_kept(tmp_path):
    config = folder(tmp_path, ratings_final=RATINGS, kg_final="0 0 5\n", item_list="org_id remap_id\na 0\nb 1\nc 2\n")
    names = read_dataset(config, seed=0).names
    assert names.items == ["a", "b", "c"]
    assert names.users == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"kg_final": "0 0 5\n"}, "ratings_final.txt: no such file"),
        ({"ratings_final": RATINGS}, "kg_final.txt: no such file"),
        ({"ratings_final": RATINGS, "kg_final": "0 0\n"}, r"kg_final.txt:1: expected 3 columns"),
        ({"ratings_final": "0 0 2\n", "kg_final": "0 0 5\n"}, "row 1: label 2 is neither 0 nor 1"),
        ({"ratings_final": "", "kg_final": "0 0 5\n"}, "no interactions"),
        ({"ratings_final": "0 0 1\n0 1 0\n", "kg_final": "0 0 5\n"}, "leave the .* part of 2 rows empty"),
        (
            {"ratings_final": RATINGS, "kg_final": "0 0 5\n", "item_list": "org_id remap_id\na 0\n"},
            "names 1 items, but the data hold item id 2: out of range",
        ),
    ],
)
def test_bad_data_are_refused_in_one_line(tmp_path, files, message):
    with pytest.raises(InputError, match=message) as caught:
        read_dataset(folder(tmp_path, **files), seed=0)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such data folder"):
        read_dataset(DataConfig("ripplenet", str(tmp_path / "nowhere")), seed=0)


def test_book_crossing_has_the_counts_of_its_description(real_data):
    data = read_dataset(DataConfig("ripplenet", str(real_data / "book-crossing")), seed=0)
    assert (data.n_users, data.n_items, data.n_entities, data.n_relations) == (17860, 14967, 77903, 25)
    assert len(data.triples) == 151500
    assert [part.users.size for part in (data.train, data.validation, data.test)] == [83848, 27949, 27949]
    assert np.concatenate([data.train.labels, data.validation.labels, data.test.labels]).mean() == 0.5


def test_the_official_split_keeps_all_of_train_and_validates_on_test(tmp_path):
    for name, text in {"train": "0 0 1\n1 2\n", "test": "0 2\n1 0\n", "kg_final": "0 0 5\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    data = read_dataset(DataConfig("kgat", str(tmp_path), split="official"), seed=0)
    assert data.train.users.size == 3
    np.testing.assert_array_equal(data.validation, data.test)
    (tmp_path / "ratings_final.txt").write_text(RATINGS)
    with pytest.raises(InputError, match="official"):
        read_dataset(DataConfig("ripplenet", str(tmp_path), split="official"), seed=0)
