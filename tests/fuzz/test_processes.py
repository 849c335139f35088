"""Closed streams, signals at any moment, and two processes in one directory."""

import json
import shutil
import signal
import tempfile
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from tests.fuzz.promise import examples
from tests.fuzz.trained import records_of, sums_of, train


@examples(short=1, long=12)
@hypothesis.given(
    closed=st.sampled_from([(1,), (2,), (1, 2)]), verb=st.sampled_from(["train", "recommend", "evaluate", "similar"])
)
def test_closed_streams(closed, verb, trained, commands):
    extra = {"recommend": ["--users=u1"], "similar": ["--item=i1"]}.get(verb, [])
    with tempfile.TemporaryDirectory() as folder:
        workdir = shutil.copytree(trained.workdir, Path(folder) / "run")
        result = commands.run(verb, f"--workdir={workdir}", *extra, kind="closed stream", closed=closed)
        assert result.code == 0
        for path in (workdir / "checkpoints").rglob("metadata"):
            json.loads(path.read_text())


@examples(short=1, long=40)
@hypothesis.given(number=st.sampled_from([signal.SIGINT, signal.SIGTERM, signal.SIGKILL]), after=st.integers(0, 40))
def test_a_signal_at_any_moment(number, after, trained, commands):
    with tempfile.TemporaryDirectory() as folder:
        workdir = shutil.copytree(trained.workdir, Path(folder) / "run")
        commands.run("train", f"--workdir={workdir}", kind="signal", signal=int(number), after=after / 10)
        assert train(commands, workdir).code == 0
        assert sums_of(workdir) == sums_of(trained.whole())
        assert records_of(workdir) == records_of(trained.whole())
