import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_functional_api_runs_as_shown():
    (block,) = (code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "import hkjax\n" in code)
    names: dict = {}
    exec(block, names)
    assert names["scores"].shape == (5, names["data"].n_items)
    assert len([line for line in block.splitlines() if line]) <= 10
