"""Settings and flags with values that nobody meant, and configuration files that are none."""

import tempfile
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from hkjax.config import settings
from hkjax.experiment import Experiment
from tests.fuzz import sources
from tests.fuzz.promise import examples

_NUMBERS = (
    "-1",
    "0",
    "1",
    "2",
    "3",
    "0.5",
    "-0.5",
    "nan",
    "inf",
    "-inf",
    "1e300",
    "2147483648",
    str(2**63),
    str(2**70),
)
_OTHERS = (
    "",
    "x",
    "None",
    "True",
    "()",
    "(0,)",
    "(1,2)",
    "(-1,-1)",
    "('a',)",
    "(5,5)",
    "[]",
    "{}",
    "1,2",
    "$x$",
    "\x1b[1m",
)
VALUES = (*_NUMBERS, *_OTHERS)
# Those that only say how long to train: what is asked for is done.
_LONG = ("training.epochs", "training.patience")
KEYS = sorted({setting.key.replace("[lightgcn]", "") for setting in settings(Experiment)} - {*_LONG})
SMALL = ("--config.training.epochs=1", "--config.model.dim=4", "--config.training.batch_size=64", "--workdir=run")
CONFIG = """
from hkjax.experiment import default_config
from hkjax.models.lightgcn import LightGCNConfig

def get_config():
    config = default_config(LightGCNConfig())
    config.synthetic.n_users, config.synthetic.n_items, config.synthetic.positives = 30, 20, 4.0
"""
FLAGS = {
    "recommend": ("users", "like", "top_k", "candidates", "exclude", "include_seen", "output", "workdir", "nope"),
    "explain": ("user", "item", "output", "workdir", "nope"),
    "similar": ("item", "top_k", "output", "workdir"),
    "inspect": ("interactions", "items", "triples", "header", "columns", "separator", "model", "write_config"),
    "train": ("workdir", "from", "model", "coordinator", "num_processes", "process_id", "config", "interactions"),
    "export": ("export", "workdir"),
    "evaluate": ("mesh", "export", "workdir"),
}
SMALL_DICT = {"synthetic": {"n_users": 30, "n_items": 20, "positives": 4.0}, "training": {"epochs": 1}}
FILES = (
    *("", "x = 1", "def get_config(", "raise ValueError('no')", "def get_config(): return None", "\x00", "é" * 5),
    *(
        f"def get_config(): return {SMALL_DICT}",
        "def get_config(): return 1 / 0",
        "import nope",
        "def get_config(a, b): pass",
    ),
    *(f"{CONFIG}    config.training.epochs = 1\n    return config", "get_config = 3", "raise SystemExit(0)", "1 +"),
    *("from ml_collections import ConfigDict\ndef get_config(): return ConfigDict({'seed': 'x'})", "while"),
    *("from ml_collections import ConfigDict\ndef get_config(): return ConfigDict({'nope': 1})", "import hkjax.nope"),
)


@examples(short=2, long=300)
@hypothesis.given(key=st.sampled_from(KEYS), value=st.sampled_from(VALUES))
def test_one_odd_setting(key, value, commands):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.py").write_text(f"{CONFIG}    return config\n")
        args = ("train", "--config=config.py", *SMALL, f"--config.{key}={value}")
        commands.run(*args, kind="setting", folder=folder)


@examples(short=2, long=120)
@hypothesis.given(verb=st.sampled_from(sorted(FLAGS)), which=st.lists(st.integers(0, 9), max_size=3), values=st.data())
def test_odd_flags(verb, which, values, trained, commands):
    names = {FLAGS[verb][k % len(FLAGS[verb])] for k in which}
    odd = [f"--{name}={values.draw(st.sampled_from((*VALUES, 'u1', 'i1', 'ratings.csv')))}" for name in sorted(names)]
    with tempfile.TemporaryDirectory() as folder:
        sources.write_tables(Path(folder))
        usual = {
            **{name: ("--interactions=ratings.csv",) for name in ("inspect", "train")},
            **{
                name: (f"--workdir={trained.workdir}",)
                for name in ("recommend", "explain", "similar", "export", "evaluate")
            },
        }[verb]
        commands.run(verb, *usual, *odd, kind="flags", folder=folder)


@examples(short=1, long=18)
@hypothesis.given(text=st.sampled_from(FILES))
def test_odd_configuration_files(text, commands):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.py").write_text(text)
        commands.run("train", "--config=config.py", "--workdir=run", kind="configuration file", folder=folder)
