"""One content in every form that can be read gives one and the same data set."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from hkjax.data.config import DataConfig, TablesConfig
from hkjax.data.dataset import fingerprint
from hkjax.data.read import dataset_from_tables, read_dataset
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.training.trainer import make_trainer

RANDOM = np.random.default_rng(0)
PAIRS = np.unique(np.column_stack([RANDOM.integers(12, size=150), RANDOM.integers(15, size=150)]), axis=0)
TRIPLES = np.column_stack([np.arange(15), np.tile([0, 1, 2], 5), RANDOM.integers(15, 21, size=15)])
INTERACTIONS = pa.table({"user_id": PAIRS[:, 0], "item_id": PAIRS[:, 1]})
GRAPH = pa.table({"head": TRIPLES[:, 0], "relation": TRIPLES[:, 1], "tail": TRIPLES[:, 2]})


def write(tmp_path, name, table, delimiter=","):
    path = tmp_path / name
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        pa.csv.write_csv(table, path, pa.csv.WriteOptions(delimiter=delimiter, quoting_style="none"))
    return str(path)


def recbole(tmp_path):
    """RecBole's atomic files, in which the graph has its own ids of the items."""
    (tmp_path / "a.inter").write_text("user_id:token\titem_id:token\n" + "".join(f"{u}\t{i}\n" for u, i in PAIRS))
    kg = "".join(f"{f'm.{h}'}\t{r}\t{t}\n" for h, r, t in TRIPLES)
    (tmp_path / "a.kg").write_text("head_id:token\trelation_id:token\ttail_id:token\n" + kg)
    (tmp_path / "a.link").write_text("item_id:token\tentity_id:token\n" + "".join(f"{i}\tm.{i}\n" for i in range(15)))
    return TablesConfig(str(tmp_path / "a.inter"), triples=(str(tmp_path / "a.kg"),), links=str(tmp_path / "a.link"))


def parts(tmp_path):
    """A folder of Parquet files, the triples among them as a glob."""
    (tmp_path / "met").mkdir()
    for k in range(3):
        write(tmp_path, f"met/part-{k}.parquet", INTERACTIONS.slice(k * 40, 40 if k < 2 else None))
        write(tmp_path, f"kg-{k}.parquet", GRAPH.slice(k * 5, 5))
    return TablesConfig(str(tmp_path / "met"), triples=(str(tmp_path / "kg-*.parquet"),))


def tables(suffix, delimiter=","):
    def make(tmp_path):
        triples = (write(tmp_path, f"kg{suffix}", GRAPH, delimiter),)
        return TablesConfig(write(tmp_path, f"met{suffix}", INTERACTIONS, delimiter), triples=triples)

    return make


def from_folder(name):
    def read(tmp_path):
        np.savetxt(tmp_path / "kg_final.txt", TRIPLES, fmt="%d")
        if name == "ripplenet":
            np.savetxt(tmp_path / "ratings_final.txt", np.column_stack([PAIRS, np.ones(len(PAIRS), int)]), fmt="%d")
        else:
            lines = [" ".join(map(str, [u, *PAIRS[PAIRS[:, 0] == u, 1]])) + "\n" for u in np.unique(PAIRS[:, 0])]
            (tmp_path / "train.txt").write_text("".join(lines))
        return read_dataset(DataConfig(name, str(tmp_path)), seed=3)

    return read


def from_tables(make):
    return lambda tmp_path: read_dataset(DataConfig("tables", tables=make(tmp_path)), seed=3)


class Frame:
    """A data frame of whatever library: it speaks Arrow's PyCapsule protocol and nothing else."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


FORMS = {
    "csv": from_tables(tables(".csv")),
    "semicolons": from_tables(tables(".csv", ";")),
    "tsv": from_tables(tables(".tsv", "\t")),
    "jsonl": from_tables(tables(".jsonl")),
    "parquet": from_tables(tables(".parquet")),
    "parts": from_tables(parts),
    "recbole": from_tables(recbole),
    "ripplenet": from_folder("ripplenet"),
    "kgat": from_folder("kgat"),
    "data frame": lambda _: dataset_from_tables(Frame(INTERACTIONS), triples=[Frame(GRAPH)], seed=3),
    "mapping": lambda _: dataset_from_tables(
        {"userId": PAIRS[:, 0], "movieId": PAIRS[:, 1]}, triples=[dict(zip("hrt", TRIPLES.T, strict=True))], seed=3
    ),
}


@pytest.fixture(scope="module")
def plain():
    return dataset_from_tables(INTERACTIONS, triples=[GRAPH], seed=3)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_data_set(form, tmp_path, plain):
    data = FORMS[form](tmp_path)
    assert (data.names, data.n_entities, data.warnings) == (plain.names, plain.n_entities, plain.warnings)
    assert fingerprint(data) == fingerprint(plain)


def test_equal_data_sets_train_to_equal_parameters(tmp_path):
    parameters = []
    for form in ("csv", "kgat"):
        (tmp_path / form).mkdir()
        data = FORMS[form](tmp_path / form)
        trainer = make_trainer(lightgcn(LightGCNConfig(dim=4, layers=1), data, batch_size=16), optax.adam(0.01))
        state, order = trainer.init(jax.random.key(0)), trainer.epoch_order(jax.random.key(1))
        parameters.append(trainer.train_steps(state, order, jnp.int32(5), jax.random.key(2)).params)
    chex.assert_trees_all_equal(*parameters)


def test_text_ids_are_numbered_by_their_bytes_and_whole_numbers_by_their_value():
    data = dataset_from_tables({"user": ["u2", "u10", "u1"] * 4, "item": [10, 9, 100, 2] * 3})
    assert data.names.users == ["u1", "u10", "u2"]
    assert data.names.items == ["2", "9", "10", "100"]


def test_ids_of_text_files_stay_as_they_are_written(tmp_path):
    path = tmp_path / "met.csv"
    path.write_text("user,item\n007,1.50\n7,NA\n" * 1 + "".join(f"x,{i}\n" for i in range(10)))
    data = read_dataset(DataConfig("tables", tables=TablesConfig(str(path))), seed=0)
    assert {"007", "7"} <= set(data.names.users)
    assert {"1.50", "NA"} <= set(data.names.items)
