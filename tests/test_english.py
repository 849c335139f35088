"""Plain English: docstrings, comments, messages and pages without the wordings that have to be read twice."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "hkjax").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.name != "changelog.md" and "_build" not in page.parts]
# Each with a plainer word: again; instead of; resumes, continues; only; faster; also; as in; interacted with.
WORDS = r"\b(anew|in place of|goes on|sooner|alone)\b|, too\b(?! )|\bas of `"
OPENINGS = r"(What|Whether|Which|Whom|Whose|Who|How|That|Of)\b"


def test_no_wording_has_to_be_read_twice():
    found = []
    for path in (*CODE, *PAGES):
        text = re.sub(r"```.*?```|`[^`\n]*`(?<!as of `)", "", path.read_text(), flags=re.DOTALL)
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in re.finditer(WORDS, text)]
    assert not found


def docstrings():
    """The file and the text of every docstring."""
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                yield path.relative_to(ROOT), ast.get_docstring(node) or ""


def test_modules_open_with_a_noun_and_functions_with_a_verb():
    assert not [(str(path), doc) for path, doc in docstrings() if re.match(OPENINGS, doc)]


def test_sentences_are_short():
    """At most 40 words between full stops, where 25 are the aim: formulas and lists also count as words."""
    for path, doc in docstrings():
        for sentence in re.split(r"(?<=[.:;])\s|\n\s*\n", doc):
            assert len(re.findall(r"[A-Za-z]{2,}", sentence)) <= 40, f"{path}: {sentence}"
