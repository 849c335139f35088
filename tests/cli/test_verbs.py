"""The command hkjax: what its verbs refuse, in one line, and what they write."""

import sys

import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
import pytest
from absl import flags

from hkjax.cli import main
from hkjax.data.config import DataConfig
from hkjax.data.synthetic import SyntheticConfig
from hkjax.evaluation.evaluate import EvaluationConfig
from hkjax.experiment import Experiment
from hkjax.models.lightgcn import LightGCNConfig
from hkjax.runs import train_experiment
from hkjax.training.loop import TrainingConfig

MET = "user,item\n" + "".join(f"u{k % 7},m{k * k % 23}\n" for k in range(90))


@pytest.fixture
def hkjax(monkeypatch, capsys, tmp_path):
    """Calls a verb in this process, in a folder of its own: its exit code, what it wrote to stdout and to stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "met.csv").write_text(MET)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hkjax", *arguments])
        before, code = set(flags.FLAGS), 0
        try:
            main.main()
        except SystemExit as stopped:
            code = stopped.code
        flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)
        flags.FLAGS.unparse_flags()
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    experiment = Experiment(
        data=DataConfig(split="per_user"),
        synthetic=SyntheticConfig(n_users=30, n_items=24, positives=6.0),
        model=LightGCNConfig(dim=4, layers=1),
        training=TrainingConfig(batch_size=32, epochs=1, monitor="recall@20"),
        evaluation=EvaluationConfig(tuning=0.0),
        mesh=(1, 1),
    )
    train_experiment(experiment, folder)
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("recomend",), "unknown verb 'recomend'; did you mean 'recommend'?"),
        (("train", "--interactions=met.csv", "--workdir=run", "--budget=soon"), "expected a time such as 90s, 10m"),
        (("train", "--interactions=met.csv", "--model=hkrm", "--budget=9s", "--workdir=run"), "hkrm has no search"),
        (("train", "--workdir=run"), "name your tables (--interactions=FILE, --items=FILE) or a configuration"),
        (("train", "--interactions=met.csv", "--model=hkrm", "--workdir=run"), "HKRM needs attribute fields"),
        (("train", "--interactions=no.csv", "--model=hakg", "--workdir=run"), "no.csv: no such file"),
        (
            ("train", "--interactions=met.csv", "--model=hakg", "--workdir=run", "--columns=user"),
            "expected ROLE:COLUMN",
        ),
        (("inspect",), "name a table of interactions: --interactions=FILE"),
        (("inspect", "--interactions=met.csv", "--write_config=met.csv"), "met.csv: exists already"),
        (("recommend", "--workdir=run"), "name one of --users"),
        (("recommend", "--workdir=run", "--users=1", "--all_users"), "name one of --users"),
        (("recommend", "--workdir=run", "--users=@no.txt"), "no.txt: No such file"),
        (("recommend", "--workdir=run", "--users=1", "--output=met.csv"), "met.csv: exists already"),
        (("recommend", "--workdir=run", "--users=1", "--output=x.xls"), "expected a name that ends in .csv, .jsonl"),
        (("recommend", "--workdir=run", "--users=1"), "run/config.json: no such file; train first"),
        (("similar", "--workdir=run"), "name an item: --item=ID"),
    ],
)
def test_a_mistake_is_one_line(hkjax, tmp_path, arguments, message):
    code, _, err = hkjax(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_help_lists_the_verbs(hkjax):
    code, out, _ = hkjax("--help")
    assert code == 0
    assert all(verb in out for verb in main.VERBS)


def test_inspect_says_what_is_there_and_writes_a_configuration(hkjax, tmp_path):
    code, out, _ = hkjax("inspect", "--interactions=met.csv", "--model=lightgcn", "--write_config=mine.py")
    assert code == 0
    assert "7 users, 12 items" in out
    assert "there is no knowledge" in out
    assert "config.data.tables.interactions = 'met.csv'" in (tmp_path / "mine.py").read_text()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_recommendations_are_written_with_stable_columns(hkjax, workdir, tmp_path, suffix):
    (tmp_path / "users.txt").write_text("3\nnobody\n5\n")
    output = f"recs.{suffix}"
    code, _, err = hkjax("recommend", f"--workdir={workdir}", "--users=@users.txt", "--top_k=2", f"--output={output}")
    assert code == 0
    assert "1 of 3 users are unknown and get popular items: nobody" in err
    readers = {"csv": pyarrow.csv.read_csv, "jsonl": pyarrow.json.read_json, "parquet": pyarrow.parquet.read_table}
    table = readers[suffix](tmp_path / output)
    assert table.column_names == ["user", "rank", "item", "name", "score", "because"]
    assert list(map(str, table["user"].to_pylist())) == ["3", "3", "nobody", "nobody", "5", "5"]
    assert not list(tmp_path.glob(".*.tmp"))


def test_candidates_and_exclusions_restrict_the_catalogue(hkjax, workdir):
    code, out, _ = hkjax("recommend", f"--workdir={workdir}", "--like=1,2", "--candidates=5,6,7", "--exclude=6")
    assert code == 0
    found = [line.split("│")[2].strip() for line in out.splitlines() if "│" in line]
    assert sorted(found) == ["5", "7"]
    code, _, err = hkjax("recommend", f"--workdir={workdir}", "--like=1,99")
    assert (code, "unknown item '99'" in err) == (2, True)
