"""README.md and the pages of docs/: their code runs, their commands and links name what exists."""

import importlib.util
import re
import shlex
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
BLOCK = re.compile(
    r"(?P<mark><!-- not run: \S[^>]*-->\s*)?"
    r"^ *(?P<fence>`{3,}) *(?P<language>[^\s`]*)[^\n`]*\n(?P<code>.*?)^ *(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page, *languages):
    """Place and code of the blocks in one of the languages, without those that are marked as not run."""
    text = page.read_text()
    for match in BLOCK.finditer(text):
        if match["language"] in languages and not match["mark"]:
            line = text.count("\n", 0, match.start("fence")) + 1
            yield f"{page.name}, block at line {line}", textwrap.dedent(match["code"])


def check_command(command, where):
    """Whether what a command of ours names exists; a command of others must be marked."""
    words = shlex.split(command, comments=True)
    while words and re.match(r"\w+=", words[0]):  # Variables of the environment.
        del words[0]
    match words:
        case [] | ["hkjax", *_]:
            pass
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module), f"{where}: no module {module}"
        case ["python", script, *_] if re.fullmatch(r"(train|evaluate|benchmarks/\w+)\.py", script):
            assert (ROOT / script).is_file(), f"{where}: no file {script}"
        case ["make", *arguments]:
            unknown = {x for x in arguments if "=" not in x} - TARGETS
            assert not unknown, f"{where}: no target {unknown}"
        case _:
            pytest.fail(f"{where}: neither checked nor marked by <!-- not run: REASON -->: {command}")
    for config in re.findall(r"--config[= ](configs/\S+)", " ".join(words)):
        assert (ROOT / config).is_file(), f"{where}: no file {config}"


@by_page
def test_the_python_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for where, code in blocks(page, "python"):
        try:
            exec(compile(code, where, "exec"), names)
        except Exception as error:
            raise AssertionError(f"{where}: {error!r}\n{code}") from error


@by_page
def test_the_commands_of_a_page_name_what_exists(page):
    for where, code in blocks(page, "sh"):
        for command in code.replace("\\\n", " ").splitlines():
            check_command(command, where)


@by_page
def test_no_block_of_code_hides_behind_another_name_of_its_language(page):
    hidden = [where for where, _ in blocks(page, "py", "python3", "pycon", "bash", "shell", "console", "{code-block}")]
    assert not hidden, "write python or sh"


@by_page
def test_relative_links_point_to_files(page):
    text = re.sub(r"`[^`\n]*`", "", BLOCK.sub("", page.read_text()))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link and not link.startswith(("#", "mailto:")):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


@by_page
def test_a_page_names_no_path_of_one_machine(page):
    found = re.search(r"(?<![\w.~/-])/(work|home|root|tmp|Users|mnt)/\S*", page.read_text())
    assert not found, found[0]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
