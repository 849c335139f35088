"""The pictures of the documentation, drawn in small, and the pages on the models that show them."""

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jax
import numpy as np
import pytest
from matplotlib import image, rc_context

import hkjax

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NAMES = ["ablation", "disk", "distance", "idea_hakg", "idea_hkrm", "preference"]


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def figures(pictures):
    """Every picture's function, on models that are hardly trained."""
    graph = pictures.generate(hkjax.SyntheticConfig(n_users=40, n_items=30, n_fields=1, n_values=4, positives=8))
    hakg = hkjax.hakg(hkjax.HAKGConfig(dim=2, layers=1, negatives=5), graph, batch_size=64)
    representation = jax.jit(hakg.encode)(hakg.init(jax.random.key(0)), hakg.inputs)
    untrained = pictures.Trained(graph, hakg, representation, recall=0.0)
    rows = pictures.generate(hkjax.SyntheticConfig(n_users=40, n_items=30, positives=8), split="random")
    hkrm = hkjax.hkrm(hkjax.HKRMConfig(dim=8), rows, batch_size=64)
    (trained,) = pictures.train(rows, hkrm, rate=0.01, epochs=2, every=2)
    return {
        "disk": lambda: pictures.disk(untrained, aperture=0.3),
        "distance": lambda: pictures.distance(untrained),
        "preference": lambda: pictures.preference(trained),
        "ablation": lambda: pictures.ablation({"slides": [0.3, 0.4], "no gate": [0.2, 0.3]}, popularity=0.25),
        "idea_hkrm": pictures.idea_hkrm,
        "idea_hakg": pictures.idea_hakg,
    }


def check(path):
    """Whether a file is a picture that a page can show."""
    assert path.stat().st_size < 200_000
    if path.suffix == ".svg":
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(root.get("width").removesuffix("pt")) > 100
        assert "<dc:date>" not in path.read_text()
    else:
        assert min(image.imread(path).shape[:2]) > 100


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_drawn_and_is_the_same_when_drawn_again(pictures, figures, name, tmp_path):
    with rc_context(pictures.STYLE):
        path, again = (pictures.save(figures[name](), name, tmp_path / folder) for folder in ("first", "second"))
    assert path.stem == name
    check(path)
    assert path.read_bytes() == again.read_bytes()


def test_a_picture_that_is_large_as_svg_is_a_png(pictures, monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "LARGEST_SVG", 1000)
    path = pictures.save(pictures.ablation({"slides": [0.3, 0.4]}, popularity=0.25), "ablation", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name] == ["ablation.png"]
    check(path)


def test_a_cone_holds_what_lies_behind_its_apex(pictures):
    apex = np.array([0.3, 0.2])
    outline = pictures.cone(apex, aperture=0.1)
    np.testing.assert_allclose(outline[[0, -1]], [apex, apex], atol=1e-6)
    assert np.linalg.norm(outline, axis=1).max() < 1 + 1e-6
    angles = [float(hkjax.geometry.cones.angle_at_apex(apex, point, 1.0)) for point in outline[[20, -20]]]
    np.testing.assert_allclose(angles, float(hkjax.geometry.cones.half_aperture(apex, 0.1, 1.0)), atol=1e-4)


def test_the_documentation_has_every_picture_and_shows_it():
    paths = sorted((DOCS / "_static/pictures").iterdir())
    assert [path.stem for path in paths] == NAMES
    pages = "".join(page.read_text() for page in DOCS.glob("*.md"))
    for path in paths:
        check(path)
        assert f"_static/pictures/{path.name})" in pages
