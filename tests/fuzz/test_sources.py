"""Tables and layouts of which one file is flawed: read as it stands, or refused in a line; in bounded memory."""

import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.fuzz import sources
from tests.fuzz.promise import examples

SMALL = ("--config.training.epochs=1", "--config.model.dim=4", "--config.training.batch_size=64", "--workdir=run")
FORMS = sorted(sources.FORMS)
KINDS = (*sources.LINES, *sources.LINES, "cell", "cell", "cell", *sources.BYTES, *sources.HARMLESS, "mac line ends")


def of_form(command, form, commands, folder):
    """Inspects or trains in the folder."""
    args = sources.FORMS[form].args
    if form in ("ripplenet", "kgat"):
        config = Path(folder) / "config.py"
        config.write_text(CONFIG)
        return commands.run("train", "--config=config.py", *args, *SMALL, kind=form, folder=folder)
    if command == "train":
        args = (*args, "--model=lightgcn", *SMALL)
    return commands.run(command, *args, kind=form, folder=folder)


CONFIG = """
from hkjax.experiment import default_config
from hkjax.models.lightgcn import LightGCNConfig

def get_config():
    config = default_config(LightGCNConfig())
    config.training.monitor = "recall@5"
    return config
"""


@pytest.mark.parametrize("form", FORMS)
@examples(short=1, long=210)
@hypothesis.given(which=st.integers(0, 2), flaw=sources.flaws(KINDS), trains=st.integers(0, 9))
def test_one_flawed_source(form, which, flaw, trains, commands):
    with tempfile.TemporaryDirectory() as folder:
        sources.write_tables(Path(folder), form)
        names = sorted(sources.FORMS[form].files)
        sources.apply(flaw, Path(folder) / names[which % len(names)])
        hypothesis.note(f"{flaw} of {names[which % len(names)]}")
        of_form("train" if trains == 0 else "inspect", form, commands, folder)


@pytest.mark.parametrize("form", FORMS)
def test_what_does_not_change_the_content_changes_nothing(form, commands):
    with tempfile.TemporaryDirectory() as folder:
        sources.write_tables(Path(folder), form)
        before, of_layout = of_form("inspect", form, commands, folder), form in ("ripplenet", "kgat")
        content = (Path(folder) / "run/data.sha256").read_text() if of_layout else before.out
        shutil.rmtree(Path(folder) / "run", ignore_errors=True)
        for name in sources.FORMS[form].files:
            for kind in sources.HARMLESS:
                sources.apply(sources.Flaw(kind, 0), Path(folder) / name)
        after = of_form("inspect", form, commands, folder)
        assert (before.code, after.code) == (0, 0)
        assert content == ((Path(folder) / "run/data.sha256").read_text() if of_layout else after.out)
