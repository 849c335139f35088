"""The Examples of docstrings run, and print what they say."""

import contextlib
import doctest
import importlib
import io
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hkjax
from hkjax.ops.sparse import make_edges

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "hkjax").rglob("*.py"))
    if ">>> " in path.read_text()
]


def silently(function):
    """The function without its progress, which has more lines on a slow machine."""

    def called(*args, **kwargs):
        with contextlib.redirect_stdout(io.StringIO()):
            return function(*args, **kwargs)

    return called


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name):
    module = importlib.import_module(name)
    given = {"hkjax": hkjax, "jax": jax, "jnp": jnp, "np": np, "make_edges": make_edges}
    given |= {"recommend": hkjax.recommend, "fit": silently(hkjax.fit)}
    runner, finder = doctest.DocTestRunner(), doctest.DocTestFinder(exclude_empty=True)
    tests = [test for test in finder.find(module, extraglobs=given) if test.examples]
    # jit hides functions from the finder.
    for public, value in vars(module).items():
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None and getattr(value, "__module__", None) == name and not isinstance(value, type):
            tests += [t for t in finder.find(wrapped, public, module, extraglobs=given) if t.examples]
    assert tests
    for test in tests:
        runner.run(test)
    assert not runner.failures, name
