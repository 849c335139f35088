"""Bad input: one clear line each, with the file and the row where there is one."""

import gzip

import pyarrow as pa
import pyarrow.parquet
import pytest

from hkjax.data.config import DataConfig, TablesConfig
from hkjax.data.read import read_dataset
from hkjax.errors import InputError

MET = "user,item,rating,date\n" + "".join(f"u{k % 4},m{k},{k % 5 + 1},2020-01-{k + 1:02}\n" for k in range(20))
ITEMS = "id,title,genre\n" + "".join(f"m{k},Film {k},g{k % 3}|h\n" for k in range(20))
SPLIT = {"split": "temporal"}


def read(tmp_path, met=MET, items=ITEMS, triples=None, config=None, names=("met.csv", "items.csv", "kg.csv"), **tables):
    paths = []
    for name, content in zip(names, (met, items, triples), strict=True):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            path.write_text(content)
        paths.append(str(path) if content is not None else "")
    sources = TablesConfig(paths[0], items=paths[1], triples=(paths[2],) if paths[2] else (), **tables)
    return read_dataset(DataConfig("tables", tables=sources, **(config or {})), seed=0)


def parquet(**columns):
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"met": "person,film\n1,2\n"}, r"met.csv: no column looks like the user; it has 'person', 'film'; choose"),
        ({"met": "user_id,userId,item\na,b,c\n"}, "'userId' and 'user_id' could each be the user; choose one"),
        ({"columns": {"user": "nobody"}}, "met.csv: no column 'nobody' for the user; it has 'user', 'item'"),
        ({"met": "1,2,3\n1,3,4\n"}, "met.csv:1: expected the columns' names, found '1,2,3'; name the columns by"),
        ({"met": "user,item\na,b\n,c\n"}, "met.csv:3: no value in the column 'user'"),
        ({"met": "user,item\n,b\n,c\n"}, "met.csv: the column 'user' is empty"),
        ({"met": "user,item\na,b\na\n"}, "met.csv:3: expected 2 columns, found 1: 'a'"),
        ({"met": "user,item,user\na,b,c\n"}, "met.csv: the column 'user' occurs more than once"),
        ({"met": b"user,item\na,b\na,\xff\n"}, r"met.csv:3: not UTF-8; convert it"),
        ({"met": ""}, "met.csv: the first line is empty"),
        ({"met": "user,item\n"}, "met.csv: no interactions"),
        ({"met": MET.replace(",3,", ",three,", 1)}, "met.csv:4: 'rating' is no number: 'three'"),
        ({"met": MET.replace(",3,", ",,", 1)}, "met.csv:4: no value in the column 'rating'"),
        ({"met": MET.replace("2020-01-05", "5th of May")}, "met.csv:6: unreadable date '5th of May' in 'date'; write"),
        ({"met": gzip.compress(MET.encode())[:-20], "names": ("m.csv.gz", "i.csv", "k.csv")}, "truncated or broken"),
        ({"met": parquet(user=[1], item=[2])[:-9], "names": ("m.parquet", "i.csv", "k.csv")}, "not a whole Parquet"),
        (
            {"met": parquet(user=[1.5], item=[2]), "names": ("m.parquet", "i.csv", "k.csv")},
            "row 1: 'user' is no id: 1.5",
        ),
        ({"met": parquet(user=[[1]], item=[2]), "names": ("m.parquet", "i.csv", "k.csv")}, "ids are strings or whole"),
        (
            {"met": '{"user": 1, "item": 2}\n{"user": "a", "item": 2}\n', "names": ("m.jsonl", "i.csv", "k.csv")},
            "m.jsonl:",
        ),
        ({"met": "x", "names": ("m.xlsx", "i.csv", "k.csv")}, "m.xlsx: unknown format; known are"),
        ({"items": ITEMS + "m3,Again,g1\n"}, r"items.csv:22: item 'm3' has a row already, .*items.csv:5; give each"),
        (
            {"items": ITEMS.replace("m", "x")},
            r"the items table .*items.csv shares no id with .*met.csv: items there are 'm0'",
        ),
        ({"triples": "h,r,t\nx,y,z\n"}, r"the graph shares no id with .*met.csv: .* here 'x'"),
        ({"triples": "<a> <b> c .\n", "names": ("m.csv", "i.csv", "k.nt")}, "k.nt:1: expected 'head relation tail .'"),
        ({"config": {"threshold": 6.0}}, r"data.threshold 6 is above every rating of .*met.csv \(1 to 5\)"),
        ({"config": {"split": "temporal", "dates": ("2020-01-05", "soon")}}, "unreadable date 'soon'"),
        ({"config": {"split": "temporal", "dates": ("2020-01-05",)}}, "expected 2 ascending dates"),
        ({"config": SPLIT, "met": "user,item\na,m1\n"}, "data.split: temporal needs a column of times"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, **changes)
    assert "\n" not in str(caught.value)


JSONL = ("m.jsonl", "i.csv", "k.csv")
PARQUET = ("m.parquet", "i.csv", "k.csv")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"met": "user,item,rating\nu1,,4\nu1,x,4\n"}, "met.csv:2: no value in the column 'item'"),
        ({"met": 'user,item\nu1,"  "\n'}, "met.csv:2: no value in the column 'item'"),
        ({"met": "user,item,rating\nu1,i1,\n"}, "the column 'rating' is empty"),
        ({"met": "customer_id,user,item\na,b,c\n"}, "'customer_id' and 'user' could each be the user"),
        (
            {
                "met": b'{"user": "a", "item": "b"}\n\n{"user": "caf\xe9", "item": "b"}\n',
                "names": ("m.jsonl", "i", "k"),
            },
            "m.jsonl:3: not UTF-8",
        ),
        (
            {"met": '{"user": "a", "item": 1}\n\n{"user": 2, "item": 1}\n', "names": JSONL},
            "m.jsonl:3: user is a number, and a text",
        ),
        ({"met": "[1, 2]\n", "names": JSONL}, r"m.jsonl:1: expected one JSON object, found '\[1, 2\]'"),
        ({"met": parquet(user=[1e20], item=[2]), "names": PARQUET}, "row 1: 'user' is no id"),
        ({"triples": b"<a> <b> <c> .\n<a> <b> <\xe9> .\n", "names": ("m.csv", "i", "k.nt")}, "k.nt:2: not UTF-8"),
        ({"columns": {"usr": "user"}}, "unknown (source or )?role 'usr'; did you mean 'user'"),
        ({"config": {"split": "bogus"}}, "split: unknown value 'bogus'; choose one of random, per_user"),
        (
            {"config": {"k_core": 20, "threshold": 1.0}},
            "no interaction is left",
        ),
        (
            {"config": {"split": "temporal", "ratios": (1, 0, 0), "threshold": 1.0}},
            "of times from 2020-01-01 to 2020-01-20",
        ),
        (
            {"config": {"threshold": 5.0, "split": "temporal", "ratios": (18, 1, 1)}},
            "no positive in the validation part",
        ),
    ],
)
def test_more_bad_tables_are_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, **{"items": None, **changes})
    assert "\n" not in str(caught.value)


def test_parts_of_different_columns_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("user,item\n1,2\n")
    (tmp_path / "b.csv").write_text("user,film\n1,2\n")
    for source in (str(tmp_path), str(tmp_path / "*.csv")):
        with pytest.raises(InputError, match=r"b.csv: has the columns user, film, but .*a.csv has user, item"):
            read_dataset(DataConfig("tables", tables=TablesConfig(source)), seed=0)
    with pytest.raises(InputError, match=r"e\*: no such file"):
        read_dataset(DataConfig("tables", tables=TablesConfig(str(tmp_path / "e*"))), seed=0)
    for name, users in (("c", ["1"]), ("d", [1])):
        pyarrow.parquet.write_table(pa.table({"user": users, "item": [1]}), tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=r"d.parquet: 'user' holds int64, but string in .*c.parquet"):
        read_dataset(DataConfig("tables", tables=TablesConfig(str(tmp_path / "*.parquet"))), seed=0)
    with pytest.raises(InputError, match=r"files of several formats \(.csv, .parquet\)"):
        read_dataset(DataConfig("tables", tables=TablesConfig(str(tmp_path))), seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"met": MET + "U1,m1,5,2020-01-01\n"},
            "1 user ids occur in several spellings, which count as different, e.g.",
        ),
        ({"met": MET + "\ufeffu1,m1,5,2020-01-01\n"}, "1 user ids carry a byte order mark, e.g. '\\ufeffu1'"),
        ({"met": MET + "u1,m1,5,2020-01-01\n", "config": {"threshold": 1.0}}, "1 duplicate interactions dropped"),
        (
            {"items": ITEMS.replace("genre", "genre,empty").replace("|h", "|h,")},
            "'empty' has no value that can be a field",
        ),
        ({"triples": "h,r,t\nm1,sequel,m2\nm1,sequel,x\n"}, "sequel: 1 of 2 values have ids of items, e.g. 'm2'"),
        ({"config": {"threshold": 1.0}}, "data.threshold 1 is not above any rating (1 to 5): every row is a positive"),
        ({}, "ratings go from 1 to 5: 4 and more count as positive (data.threshold)"),
        ({"config": {"negatives": "given"}}, "rows of label 0 are items that users rated low"),
    ],
)
def test_what_may_be_a_mistake_is_said(tmp_path, changes, message):
    warnings = read(tmp_path, **changes).warnings
    assert any(message in warning for warning in warnings), warnings
