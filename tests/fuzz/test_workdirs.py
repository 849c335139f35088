"""A work directory of which one file is damaged: no silently different number, and training goes on where it can."""

import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.fuzz import sources
from tests.fuzz.promise import examples, is_long
from tests.fuzz.trained import evaluate, measured_of, recommend, records_of, steps_of, sums_of, train

KINDS = ("truncated", "empty", "deleted", "flipped bit", "zeros", "random bytes", "garbage at the end")
# Each file is cut, emptied, deleted, and flipped in eight places.
WAYS = [sources.Flaw(kind, 0.5) for kind in ("truncated", "empty", "deleted")]
WAYS += [sources.Flaw("flipped bit", place / 8) for place in range(8)]


def check(trained, commands, name, flaw, verb):
    """Damages a copy of the run, and holds what a verb makes of it against the undisturbed run."""
    with tempfile.TemporaryDirectory() as folder:
        workdir = shutil.copytree(trained.workdir, Path(folder) / "run")
        sources.apply(flaw, workdir / name)
        result = {"train": train, "recommend": recommend, "evaluate": evaluate}[verb](commands, workdir)
        assert result.code == 0 or name.parts[0] not in ("checkpoints", "data"), f"{name} {flaw}: {result.err}"
        used = next((step for step in trained.steps if f"this is of step {step}, " in result.err), 0)
        if result.code:
            return
        if verb == "train":
            assert sums_of(workdir) == sums_of(trained.whole()), f"{name} {flaw}"
            assert steps_of(workdir)[-1] > trained.steps[-1]
            if name.name != "metrics.jsonl":
                assert records_of(workdir) == records_of(trained.whole())
            after = recommend(commands, workdir)
            assert after.out == trained.recommended_after() or "this is of step" in after.err, f"{name} {flaw}"
        elif verb == "recommend":
            assert result.out == trained.recommended(used), f"{name} {flaw}"
        else:
            assert used or measured_of(workdir) == trained.measured(), f"{name} {flaw}"


def files_of(trained):
    """All files of the run but the events of TensorBoard, which hkjax does not read."""
    found = sorted(path for path in trained.workdir.rglob("*") if path.is_file() and path.parent.name != "tensorboard")
    return [path.relative_to(trained.workdir) for path in found]


@examples(short=1, long=60)
@hypothesis.given(place=st.integers(0, 9999), flaw=sources.flaws(KINDS), verb=st.sampled_from(["train", "recommend"]))
def test_one_damaged_file(place, flaw, verb, trained, commands):
    names = files_of(trained)
    check(trained, commands, names[place % len(names)], flaw, verb)


@pytest.mark.skipif(not is_long(), reason="each file in each way takes minutes: make fuzz")
@pytest.mark.parametrize("part", range(6))
def test_each_file_in_each_way(part, trained, commands):
    if trained.model == "hakg":
        pytest.skip("the files of a run are of the same kinds, whatever its model")
    cases = [(name, flaw) for name in files_of(trained) for flaw in WAYS]
    verbs = ("train", "recommend", "recommend", "evaluate", "recommend")
    for k, (name, flaw) in [*enumerate(cases)][part::6]:
        check(trained, commands, name, flaw, verbs[k % len(verbs)])
