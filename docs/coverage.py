"""Fails the build where the reference lacks something: a docstring, or a module that no page of docs/api names."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import hkjax

logger = logging.getLogger(__name__)


def public_modules() -> list[str]:
    """The names of hkjax's modules, without those that have a part with a leading underscore."""
    names = [module.name for module in pkgutil.walk_packages(hkjax.__path__, "hkjax.")]
    return ["hkjax", *(name for name in names if "._" not in name)]


def public_members(owner: Any, module: str) -> Iterator[tuple[str, Any]]:
    """The classes, functions, methods and properties that a module or a class of it defines, without decorators."""
    for name, value in vars(owner).items():
        if isinstance(value, property):
            value = value.fget
        elif isinstance(value, functools.cached_property):
            value = value.func
        value = inspect.unwrap(value)
        ours = inspect.isclass(value) or inspect.isfunction(value)
        if ours and value.__module__ == module and not name.startswith("_"):
            yield name, value


def public_objects() -> Iterator[tuple[str, Any]]:
    """Everything in hkjax that the reference must explain, by its full name."""
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        yield module_name, module
        for name, value in public_members(module, module_name):
            yield f"{module_name}.{name}", value
            if inspect.isclass(value):
                for member, method in public_members(value, module_name):
                    yield f"{module_name}.{name}.{member}", method


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Warns of what has no docstring, and of what has one and is on no page."""
    shown = env.domains.python_domain.modules.keys() | env.domains.python_domain.objects.keys()
    for name, value in public_objects():
        doc = value.__doc__
        # A dataclass and a NamedTuple without a docstring have their signature for one.
        if not doc or (inspect.isclass(value) and doc.startswith(f"{value.__name__}(")):
            logger.warning("%s has no docstring", name)
        elif name not in shown:
            logger.warning("%s is on no page of docs/api", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Checks after all pages are read."""
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True}
