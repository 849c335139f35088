"""What a run says while it trains."""

import json
import math
import time

import jax
import pytest

from hkjax.cli import run
from hkjax.errors import InputError
from hkjax.training import progress
from hkjax.training.progress import EventLog, best_record, compiling, read_records


def test_compiling_is_said_once_it_takes_long(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_SECONDS_UNTIL_SAID", 0.01)
    with compiling("the step"):
        time.sleep(0.2)
    assert capsys.readouterr().out == "compiling the step (first time) ... 0 s\ncompiled the step in 0 s\n"
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0.01)
    with compiling("the step"):
        time.sleep(0.2)
    *told, last = capsys.readouterr().out.splitlines()
    assert len(told) > 2
    assert {*told} == {"compiling the step (first time) ... 0 s"}
    assert last == "compiled the step in 0 s"
    monkeypatch.setattr(progress, "_SECONDS_UNTIL_SAID", 60.0)
    with compiling("the step"):
        pass
    assert capsys.readouterr().out == ""


def test_records_are_json_and_carry_their_sums(tmp_path):
    log = EventLog(tmp_path, after_step=0)
    log.write({"epoch": 1, "step": 5, "seconds": 0.5, "train_loss": 0.25, "validation_auc": math.nan})
    line = (tmp_path / "metrics.jsonl").read_text()
    assert json.loads(line, parse_constant=pytest.fail)["validation_auc"] is None
    assert read_records(tmp_path) == log.records
    (tmp_path / "metrics.jsonl").write_text(line.replace("0.25", "0.26"))
    with pytest.raises(InputError, match=r"metrics.jsonl:1: not a record of an epoch as it was written"):
        read_records(tmp_path)


@pytest.mark.parametrize(
    "line", ["{}", "null", "[1]", '{"epoch": "a", "step": 1}', '{"epoch": 1, "step": NaN}', "\x00"]
)
def test_what_is_no_record_is_refused(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=r"metrics.jsonl:1: not a record"):
        read_records(tmp_path)


def test_records_of_earlier_versions_have_no_sums(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1, "step": 5}\n{"epoch": 2, "st')
    assert read_records(tmp_path) == [{"epoch": 1, "step": 5}]


def test_the_first_of_the_best_records_counts():
    records = [{"epoch": k, "validation_auc": value} for k, value in enumerate([0.5, None, 0.7, 0.7])]
    assert best_record([*records, {"epoch": 9}], "auc")["epoch"] == 2
    assert best_record(records, "recall@20") is None


@pytest.mark.parametrize(
    ("variable", "expected"), [(None, "runs/.hkjax_cache"), ("elsewhere", "elsewhere"), ("", None), ("off", None)]
)
def test_compiled_programs_are_kept_beside_the_work_directory(monkeypatch, tmp_path, variable, expected):
    updates = {}
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.delenv("HKJAX_CACHE", raising=False)
    if variable is not None:
        monkeypatch.setenv("HKJAX_CACHE", variable)
    monkeypatch.setattr(jax.config, "update", updates.__setitem__)
    run._keep_compiled(run.Path("runs/mine"))
    assert updates.get("jax_compilation_cache_dir") == expected
