import re
from pathlib import Path

from hkjax.experiment import read_experiment

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_functional_api_runs_as_shown():
    (block,) = (code for code in BLOCKS if "import hkjax\n" in code)
    names: dict = {}
    exec(block, names)
    assert names["scores"].shape == (5, names["data"].n_items)
    assert len([line for line in block.splitlines() if line]) <= 10


def test_the_configurations_shown_are_valid():
    shown = [code for code in BLOCKS if "def get_config" in code]
    assert len(shown) == 2
    for code in shown:
        names: dict = {}
        exec(code, names)
        read_experiment(names["get_config"]())
