"""The three steps of docs/adding-a-model.md make a model part of the library."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
IMPORTS = "from hkjax.models.mine.config import MyConfig\nfrom hkjax.models.mine.model import mine\n"
CHECK = """
from tests.zoo import MODELS
import hkjax

data = hkjax.synthetic_dataset(hkjax.SyntheticConfig(n_users=40, n_items=25), hkjax.DataConfig(), seed=0)
hkjax.check_recommender(MODELS["mine"](data))
"""


def insert(path, old, new):
    """Replaces a text that stands in a file once."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.write_text(text.replace(old, new))


def take_the_steps(folder):
    """Copies the package, and writes into the copy what the page shows."""
    page = (ROOT / "docs/adding-a-model.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    smallest, config, model, registry = (
        next(block for block in blocks if text in block)
        for text in ("def bpr(", "class MyConfig(", "def mine(", "MyConfig: Model(")
    )
    _, union, entry = registry.splitlines(keepends=True)
    (zoo_line,) = re.findall(r"`(\"mine\": .*,)`", page)

    shutil.copytree(ROOT / "hkjax", folder / "hkjax", ignore=shutil.ignore_patterns("__pycache__"))
    mine = folder / "hkjax/models/mine"
    mine.mkdir()
    (mine / "__init__.py").touch()
    (mine / "config.py").write_text(config)
    (mine / "model.py").write_text(f"{smallest}\n\n{model}")
    known = folder / "hkjax/models/registry.py"
    before, _, _ = union.rpartition(" | ")
    insert(known, f"{before}\n", f"{IMPORTS}\n{union}")
    insert(known, "}\n\nCONFIGS", f"{entry}}}\n\nCONFIGS")
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests/zoo.py", folder / "tests/zoo.py")
    insert(
        folder / "tests/zoo.py", '    "popularity": popularity,\n', f'    {zoo_line}\n    "popularity": popularity,\n'
    )
    zoo = folder / "tests/zoo.py"
    insert(zoo, '    "popularity": popularity,\n', f'    {zoo_line}\n    "popularity": popularity,\n')
    insert(zoo, "from hkjax.models.popularity", f"{IMPORTS}from hkjax.models.popularity")


def run(folder, code, *arguments):
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_after_its_steps_a_model_trains_on_tables_and_recommends(tmp_path):
    take_the_steps(tmp_path)
    users, items = np.divmod(np.random.default_rng(0).choice(20 * 30, size=200, replace=False), 30)
    rows = [f"u{user},i{item}" for user, item in zip(users, items, strict=True)]
    (tmp_path / "small.csv").write_text("\n".join(["user,item", *rows]))
    command = "from hkjax.cli.main import main; main()"
    trained = run(
        *(tmp_path, command, "train", "--interactions=small.csv", "--model=mine", "--workdir=run"),
        "--config.training.epochs=1",
    )
    assert "best: epoch 1 of 1" in trained
    recommended = run(tmp_path, command, "recommend", "--workdir=run", "--users=u3", "--top_k=2", "--output=best.csv")
    assert recommended == "2 rows in best.csv\n"
    run(tmp_path, CHECK)
