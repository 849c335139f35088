"""Plain English: docstrings, comments, messages and pages without the wordings that have to be read twice."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "hkjax").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.name != "changelog.md" and "_build" not in page.parts]
# Each with a plainer word: again; instead of; resumes, continues; only; faster; also; as in; interacted with.
WORDS = r"\b(anew|in place of|goes on|sooner|alone)\b|, too\b(?! )|\bas of `"
OPENINGS = r"(What|Whether|Which|Whom|Whose|Who|How|That|Of)\b"


def id_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*CODE, *PAGES], ids=id_of)
def test_no_wording_has_to_be_read_twice(path):
    text = re.sub(r"```.*?```|`[^`\n]*`(?<!as of `)", "", path.read_text(), flags=re.DOTALL)
    found = [f"line {text[: m.start()].count(chr(10)) + 1}: {m[0]}" for m in re.finditer(WORDS, text)]
    assert not found, found


@pytest.mark.parametrize("path", CODE, ids=id_of)
def test_modules_open_with_a_noun_and_functions_with_a_verb(path):
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]
    assert not [doc for doc in docs if re.match(OPENINGS, doc)]


@pytest.mark.parametrize("path", CODE, ids=id_of)
def test_sentences_are_short(path):
    """At most 40 words between full stops, where 25 are the aim: formulas and lists count as words, too."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        doc = isinstance(node, documented) and ast.get_docstring(node)
        for sentence in re.split(r"(?<=[.:;])\s|\n\s*\n", doc or ""):
            assert len(re.findall(r"[A-Za-z]{2,}", sentence)) <= 40, sentence
