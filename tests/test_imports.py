"""Imports go one way: ops, geometry, data <- models <- training, evaluation, serving <- experiment <- the doors."""

import ast
import graphlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASIC = {
    *("hkjax.errors", "hkjax.files", "hkjax.precision", "hkjax.ranges", "hkjax.regression", "hkjax.shapes"),
    "hkjax.transfer",
}
# What the modules of a package may import of hkjax besides their own package.
ALLOWED = {
    "ops": {"hkjax.errors", "hkjax.precision", "hkjax.shapes"},
    "geometry": {"hkjax.errors", "hkjax.precision", "hkjax.ops.rows"},
    "data": BASIC,
    "models": {*BASIC, "hkjax.ops", "hkjax.geometry", "hkjax.data"},
    "training": {*BASIC, "hkjax.ops", "hkjax.data", "hkjax.models.base"},
    "evaluation": {*BASIC, "hkjax.ops", "hkjax.data", "hkjax.models.base"},
    "serving": {*BASIC, "hkjax.ops", "hkjax.data", "hkjax.models.base"},
}


def imported(path):
    """The modules of hkjax that a file imports, with the names taken from packages."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_one_way(package):
    allowed = {*ALLOWED[package], f"hkjax.{package}"}
    for path in (ROOT / "hkjax" / package).rglob("*.py"):
        for name in imported(path):
            ours = name == "hkjax" or name.startswith("hkjax.")
            assert not ours or any(f"{name}.".startswith(f"{base}.") for base in allowed), f"{path}: imports {name}"


def test_no_private_module_is_imported_by_another_package():
    for path in ROOT.glob("hkjax/**/*.py"):
        package = ".".join(path.relative_to(ROOT).parent.parts)
        for name in imported(path):
            parts = name.split(".")
            private = [k for k, part in enumerate(parts) if part.startswith("_") and part != "__version__"]
            inside = private and f"{package}.".startswith(".".join(parts[: private[0]]) + ".")
            assert not private or inside or not name.startswith("hkjax"), f"{path}: imports {name}"


def test_imports_make_no_circle():
    """Also between a package's own files, whatever their folders are."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.glob("hkjax/**/*.py")}

    def used(module):
        found = set()
        for name in imported(modules[module]):
            while name and name not in modules:
                name = name.rpartition(".")[0]
            found |= {name} - {"", module}
        return found

    graphlib.TopologicalSorter({module: used(module) for module in modules}).prepare()  # Raises at a circle.


def test_files_are_read_in_a_sitting_and_folders_at_a_glance():
    for folder in (ROOT / "hkjax", *(path for path in ROOT.glob("hkjax/**/") if path.name != "__pycache__")):
        files = [*folder.glob("*.py")]
        assert len(files) <= 16, f"{folder}: {len(files)} files"
        for path in files:
            assert len(path.read_text().splitlines()) <= 250, path


def test_operations_name_no_platform():
    for path in (ROOT / "hkjax/ops").glob("*.py"):
        found = re.search(r"(?i)\b([cgt]pus?|cuda|nvidia|h100|v5e)\b", path.read_text())
        assert not found, f"{path}: {found[0]}; its own forms belong into hkjax/ops/lowerings"


def test_the_library_loads_neither_a_backend_nor_what_it_does_not_need_yet():
    code = """
import sys, hkjax
from jax._src import xla_bridge
late = {"matplotlib", "orbax", "tensorboardX", "tensorstore", "ml_collections", "hkjax.training"}
assert not late & set(sys.modules), late & set(sys.modules)
assert not xla_bridge._backends
assert hkjax.__version__.count(".") == 2
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_models_have_no_word_of_devices_nor_of_what_a_compiler_likes():
    words = ("device", "axis_name", "psum", "all_gather", "collective", "mesh")
    words += ("checkpoint", "prevent_cse", "materialize", "layout_constraint", "platform_dependent")
    models = ROOT / "hkjax/models"
    for path in (*models.glob("*/*.py"), models / "lightgcn.py", models / "popularity.py"):
        text = path.read_text().lower().replace("jax.device_get", "")
        assert not [word for word in words if word in text], path


USERS_FILE = """
import hkjax
import jax
import numpy as np
from hkjax.geometry import poincare
from hkjax.testing import check_recommender


def main() -> jax.Array:
    data = hkjax.synthetic_dataset(hkjax.SyntheticConfig(), hkjax.DataConfig(), seed=0)
    model: hkjax.Recommender = hkjax.hkrm(hkjax.HKRMConfig(dim=8), data, batch_size=256)
    params = model.init(jax.random.key(0))
    batch = hkjax.get_batch(model.batches, hkjax.epoch_order(model.batches, jax.random.key(1)), 0)
    loss, metrics = model.loss(params, model.inputs, batch, jax.random.key(2))
    check_recommender(model)
    logit: jax.Array = hkjax.hkrm_equations.relevance(*jax.numpy.ones((4, 3)))
    loss += hkjax.hakg_equations.angle_loss(jax.numpy.zeros(3), jax.numpy.ones(3) / 2, 0.1) + logit
    distance: jax.Array = poincare.distance(np.zeros(3), y=jax.numpy.ones(3) / 2, c=1.0)
    return loss + metrics["loss"] + distance + poincare.exp_map(np.zeros(3), np.ones(3), 0.5).sum()
"""
MISTAKES = """
import numpy as np
from hkjax.geometry import poincare

poincare.distance(np.zeros(3), "y", 1.0)
poincare.distance(np.zeros(3), np.zeros(3), curvature=1.0)
"""


def test_a_strict_type_checker_accepts_a_users_file_and_finds_mistakes(tmp_path):
    (tmp_path / "right.py").write_text(USERS_FILE)
    (tmp_path / "wrong.py").write_text(MISTAKES)
    # As where hkjax is installed: of its own files only the signatures count.
    options = ("--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache"))
    command = [sys.executable, "-m", "mypy", *options, "right.py", "wrong.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment).stdout
    assert "right.py" not in found, found
    assert "wrong.py:5" in found
    assert "wrong.py:6" in found
