"""The API reference: a directive that lists modules, and docstrings in plain text as reStructuredText."""

import importlib
import inspect
import re
from fnmatch import fnmatch
from typing import Any

from coverage import public_modules
from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Modules(SphinxDirective):
    """`.. modules:: PATTERN ...`: a section for each public module of hkjax whose name matches a pattern."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[Node]:
        """Parses one automodule for each module, and a table of what a package takes from its modules."""
        self.env.note_reread()  # A new module changes the page.
        lines: list[str] = []
        for name in public_modules():
            if any(fnmatch(name, pattern) for pattern in self.arguments[0].split()):
                lines += [name, "~" * len(name), "", f".. automodule:: {name}", "   :members:", ""]
                if taken := imported_names(name):
                    lines += [
                        ".. py:currentmodule:: None",
                        "",
                        ".. autosummary::",
                        "   :nosignatures:",
                        "",
                        *(f"   ~{x}" for x in taken),
                        "",
                    ]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def imported_names(package: str) -> list[str]:
    """What a package's __init__ imports from modules of hkjax, by the names of where it is defined."""
    module = importlib.import_module(package)
    if not hasattr(module, "__path__"):
        return []
    values = [inspect.unwrap(getattr(module, name)) for name in dir(module) if not name.startswith("_")]
    ours = [x for x in values if callable(x) and x.__module__.startswith("hkjax.")]
    return [f"{x.__module__}.{x.__qualname__}" for x in ours]


def unwrap_functions(app: Sphinx) -> None:
    """Takes decorators such as jax.jit off hkjax's functions, since autodoc wants plain ones."""
    for name in public_modules():
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            if getattr(value, "__module__", None) == name:
                setattr(module, attribute, inspect.unwrap(value))


def to_rst(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turns a docstring in plain text, with `code`, formulas and indented blocks, into reStructuredText."""
    result: list[str] = []
    previous, in_block = "", False
    for line in lines:
        indented = line.startswith(" ")
        starts_block = indented and not in_block and result[-1:] == [""] and not previous.startswith(" ")
        in_block = starts_block or (in_block and (indented or not line))
        if starts_block:
            result += ["::", ""]
        # Napoleon takes what is before a colon for a type.
        if previous == "Returns:" or (what == "property" and not result):
            line = re.sub(r"^( *)", r"\1: ", line)
        result.append(line if in_block else escape(line))
        previous = line or previous
    lines[:] = result


def escape(line: str) -> str:
    """Escapes what plain text does not mean as markup, outside of `code`."""
    parts = re.split(r"`+([^`]+)`+", line)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = re.sub(r"[\\*|]|_(?=\W|$)", r"\\\g<0>", part)
        else:
            before = "\\ " if re.search(r"\w$", parts[i - 1]) else ""
            after = "\\ " if re.match(r"\w", parts[i + 1]) else ""
            code = f":py:obj:`{part}`" if re.fullmatch(r"[\w.]+", part) else f"``{part}``"
            parts[i] = before + code + after
    return "".join(parts)


def is_field(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out the fields of NamedTuples, which the section Attributes explains."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def plain_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Writes int for Annotated[int, Range(...)], and a default that is made anew each time so that Sphinx reads it."""
    plain = re.sub(r"[\w.~]*Annotated\[(.+?), [\w.~]*Range\([^)]*\)\]", r"\1", signature or "")
    return plain.replace("<factory>", "...") or None, returns


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive; docstrings are converted before napoleon reads them."""
    app.add_directive("modules", Modules)
    app.connect("builder-inited", unwrap_functions)
    app.connect("autodoc-process-docstring", to_rst, priority=400)
    app.connect("autodoc-process-signature", plain_signature)
    app.connect("autodoc-skip-member", is_field)
    return {"parallel_read_safe": True}
