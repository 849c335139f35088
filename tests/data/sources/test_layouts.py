import numpy as np
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.sources.layouts import read_adjacency, read_layout, read_names, read_rows
from hkjax.errors import InputError

COLUMNS = "user item label"


def write(tmp_path, text, name="ratings_final.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_rows_of_tabs_spaces_and_windows_line_ends_are_read(tmp_path):
    path = write(tmp_path, "0\t12 1\r\n\n7  305\t0\n2 3 1")
    np.testing.assert_array_equal(read_rows(path, COLUMNS), [[0, 12, 1], [7, 305, 0], [2, 3, 1]])


def test_rows_are_read_as_numpy_reads_them(tmp_path):
    table = np.random.default_rng(0).integers(0, 2**31 - 2, (500, 3))
    path = tmp_path / "kg_final.txt"
    np.savetxt(path, table, fmt="%d")
    np.testing.assert_array_equal(read_rows(path, "head relation tail"), table)


def test_an_empty_file_has_no_rows(tmp_path):
    assert read_rows(write(tmp_path, "\n \n"), COLUMNS).shape == (0, 3)


def test_npy_is_read_where_txt_is_absent(tmp_path):
    np.save(tmp_path / "ratings_final.npy", np.array([[0, 1, 1], [1, 0, 0]], np.int32))
    np.testing.assert_array_equal(read_rows(tmp_path / "ratings_final.txt", COLUMNS), [[0, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 1\n0 1\n", r"ratings_final.txt:2: expected 3 columns \(user item label\), found 2"),
        ("0 1 1\n\n0 1 1 4\n", r"ratings_final.txt:3: expected 3 columns \(user item label\), found 4"),
        ("0 1 1\n3 x7 0\n", r"ratings_final.txt:2: expected non-negative integers, found '3 x7 0'"),
        ("0 1 1\n3 -7 0\n", r"ratings_final.txt:2: expected non-negative integers, found '3 -7 0'"),
        ("0 1 1\n0 4294967296 1\n", r"ratings_final.txt:2: id 4294967296 is out of range"),
        ("0 1 1\n0 10000000000000000000000 1\n", r"ratings_final.txt:2: an id has more than 18 digits"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_rows(write(tmp_path, text), COLUMNS)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((2, 2), int), r"shape \[rows, 3\].*found int64 \[2, 2\]"),
        (np.zeros((2, 3)), "expected integers"),
        (np.array([[0, 0, 1], [0, -1, 1]]), "row 1: id out of range"),
    ],
)
def test_a_bad_npy_is_refused(tmp_path, table, message):
    np.save(tmp_path / "ratings_final.npy", table)
    with pytest.raises(InputError, match=message):
        read_rows(tmp_path / "ratings_final.txt", COLUMNS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"ratings_final.txt: no such file"):
        read_rows(tmp_path / "ratings_final.txt", COLUMNS)


def test_adjacency_lines_become_pairs(tmp_path):
    path = write(tmp_path, "0 5 6\n1\n3 5\n", "train.txt")
    np.testing.assert_array_equal(read_adjacency(path), [[0, 5], [0, 6], [3, 5]])


def test_names_are_listed_by_their_id(tmp_path):
    path = write(tmp_path, "org_id remap_id\nfilm star 1\nfilm\t0\n", "relation_list.txt")
    assert read_names(path) == {0: "film", 1: "film star"}
    assert read_names(tmp_path / "absent.txt") is None
    with pytest.raises(InputError, match=r"relation_list.txt:2: expected 'org_id remap_id'"):
        read_names(write(tmp_path, "org_id remap_id\nlonely\n", "relation_list.txt"))


def test_the_lists_of_kgat_may_have_further_columns(tmp_path):
    path = write(
        tmp_path, "org_id remap_id freebase_id\n0553092626 1 m.045wq1q\n0393045218 0 m.03_7vl\n", "item_list.txt"
    )
    assert read_names(path) == {0: "0393045218", 1: "0553092626"}
    path.write_bytes(b"org_id remap_id\ncaf\xe9 0\n")
    with pytest.raises(InputError, match=r"item_list.txt:2: not UTF-8"):
        read_names(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"film 0\nstar 1\n", r":1: expected a header such as 'org_id remap_id', found 'film 0'"),
        ("org_id remap_id\nfilm 0\n".encode("utf-16"), "not UTF-8; convert it, for instance by iconv -f utf-16"),
        (b"org_id remap_id\nfilm 1000000000\n", r":2: id 1000000000 is far beyond the 2 lines"),
    ],
)
def test_a_list_that_would_lose_names_or_memory_is_refused(tmp_path, content, message):
    path = tmp_path / "item_list.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_names(path)


def test_other_ends_of_lines_stand_in_names_and_old_macs_are_read(tmp_path):
    (tmp_path / "item_list.txt").write_bytes("org_id remap_id\rfi\u2028lm 0\rstar\x0c 1\r".encode())
    assert read_names(tmp_path / "item_list.txt") == {0: "fi\u2028lm", 1: "star\x0c"}
    (tmp_path / "train.txt").write_bytes(b"0 5 6\r1\r3 5\r")
    np.testing.assert_array_equal(read_adjacency(tmp_path / "train.txt"), [[0, 5], [0, 6], [3, 5]])


def test_an_empty_test_part_and_an_id_far_beyond_are_refused(tmp_path):
    write(tmp_path, "0 1 2\n1 0 2\n", "train.txt")
    write(tmp_path, "0 0 3\n", "kg_final.txt")
    config = DataConfig("kgat", str(tmp_path))
    write(tmp_path, "0\n1\n", "test.txt")
    with pytest.raises(InputError, match=r"test.txt: holds no item; delete the file for a test part that is cut"):
        read_layout(config)
    write(tmp_path, "0 1000000000\n", "test.txt")
    with pytest.raises(InputError, match=r"test.txt: item 1000000000 is far beyond the 1 items"):
        read_layout(config)


def test_a_broken_npy_is_refused(tmp_path):
    (tmp_path / "ratings_final.npy").write_bytes(b"")
    with pytest.raises(InputError, match="not a whole"):
        read_rows(tmp_path / "ratings_final.txt", COLUMNS)
