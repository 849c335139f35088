"""A work directory of which one file is damaged: no silently different number, and training goes on where it can."""

import shutil
import tempfile
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from tests.fuzz import sources
from tests.fuzz.promise import examples
from tests.fuzz.trained import recommend, records_of, steps_of, sums_of, train

KINDS = ("truncated", "empty", "deleted", "flipped bit", "zeros", "random bytes", "garbage at the end")


@examples(short=2, long=220)
@hypothesis.given(place=st.integers(0, 9999), flaw=sources.flaws(KINDS), trains=st.booleans())
def test_one_damaged_file(place, flaw, trains, trained, commands):
    with tempfile.TemporaryDirectory() as folder:
        workdir = shutil.copytree(trained.workdir, Path(folder) / "run")
        files = sorted(path for path in workdir.rglob("*") if path.is_file() and path.parent.name != "tensorboard")
        damaged = files[place % len(files)]
        sources.apply(flaw, damaged)
        hypothesis.note(f"{flaw} of {damaged.relative_to(workdir)}")
        in_checkpoints = damaged.is_relative_to(workdir / "checkpoints")
        result = (train if trains else recommend)(commands, workdir)
        if in_checkpoints or damaged.is_relative_to(workdir / "data"):
            assert result.code == 0, result.err
        if trains and result.code == 0:
            assert sums_of(workdir) == trained.final
            if damaged.name != "metrics.jsonl":
                assert records_of(workdir) == trained.records
            assert steps_of(workdir)[-1] > trained.steps[-1]
        elif result.code == 0:
            used = next((step for step in trained.steps if f"this is of step {step}, " in result.err), 0)
            assert result.out == trained.recommended[used]
