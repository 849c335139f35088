"""The examples of docs/gallery run, print what their pages show, and are all in the index."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GALLERY = Path(__file__).parents[1] / "docs/gallery"
EXAMPLES = sorted(GALLERY.glob("*.py"))
# Lines that each example prints on every machine, as regular expressions.
PRINTS = {
    "check_gradients": (r"halved: reverse-mode error 5\.0e-01 exceeds", r"^distance: value, .* are finite"),
    "geodesics_and_cones": (r"1\.00  \(\+0\.600, \+0\.500\)", r"\(0\.6, 0\.1\) at 21 degrees: in", "keep distances"),
    "own_loss": ("step 0: loss .*, 0 of 60 items in the cone", "step 300: loss .*, 60 of 60 items in the cone"),
    "preference_map": (
        r"true field largest: \d+% of users",
        r"user 3, true field field_2: P\(A\|q\)",
        "preference.png",
    ),
    "recommend_from_tables": (r"p2, rank 1: Horror \d+, .*as Horror", r"similar to War 0: War \d+"),
    "several_devices": ("^4 devices", r"hold \[100, 100, 100, 100\] of 400 users' rows, \de-0[678] from"),
    "smallest_model": ("^sound: keys", r"epoch 5: recall@20 of the validation part 0\.[12]"),
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_prints_what_its_page_shows(example, tmp_path):
    page = example.with_suffix(".md").read_text()
    assert f"{{literalinclude}} {example.name}\n" in page
    command, environment = [sys.executable, str(example)], {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr
    for pattern in PRINTS[example.stem]:
        assert re.search(pattern, result.stdout, re.MULTILINE), f"{pattern} is not in\n{result.stdout}"
        assert re.search(pattern, page, re.MULTILINE), f"{pattern} is not in {example.stem}.md"


def test_the_index_names_every_example_and_the_pages_link_to_files():
    index = (GALLERY / "index.md").read_text()
    for example in EXAMPLES:
        assert f"]({example.stem}.md)" in index
        assert f"\n{example.stem}\n" in index
        assert len(example.read_text().splitlines()) <= 50
    for page in GALLERY.glob("*.md"):
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            assert (GALLERY / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("model", ["hkrm", "hakg"])
def test_the_page_of_equations_names_every_function(model):
    module = importlib.import_module(f"hkjax.models.{model}.equations")
    public = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    page = (GALLERY.parent / "equations.md").read_text()
    missing = [name for name in public if not name.startswith("_") and f"`{name}(" not in page]
    assert not missing
