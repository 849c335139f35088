"""README.md and the pages of docs/: their code runs, their commands and links name what exists."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hkjax.config import settings
from hkjax.experiment import Experiment, read_experiment

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
BLOCK = re.compile(
    r"(?P<mark><!-- not run: \S[^>]*-->\s*)?"
    r"^ *(?P<fence>`{3,}) *(?P<language>[^\s`]*)[^\n`]*\n(?P<code>.*?)^ *(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page, *languages, marked=False):
    """Place, language and code of the blocks in these languages, with or without those marked as not run."""
    text = page.read_text()
    for match in BLOCK.finditer(text):
        if match["language"] in languages and (marked or not match["mark"]):
            line = text.count("\n", 0, match.start("fence")) + 1
            yield f"{page.name}, block at line {line}", match["language"], textwrap.dedent(match["code"])


def check_command(command, where):
    """Whether the scripts, modules, targets, flags, configurations and their keys that a command names exist."""
    words = [word for word in shlex.split(command, comments=True) if not re.match(r"\w+=", word)]
    flags = [word.removeprefix("--").partition("=")[0] for word in words if word.startswith("--")]
    keys = {re.sub(r"\[\w+\]", "", setting.key) for setting in settings(Experiment)}
    unknown = [flag for flag in flags if flag.startswith("config.") and flag.removeprefix("config.") not in keys]
    assert not unknown, f"{where}: no keys {unknown}"
    match words:
        case ["python", "-m", module, *_]:
            script = Path(importlib.util.find_spec(f"{module}.__main__").origin)
        case ["python", ("train.py" | "evaluate.py") as door, *_]:
            script = ROOT / "hkjax/cli" / door
        case ["python", "served/server.py", *_]:
            script = ROOT / "hkjax/serving/server.py"
        case ["python", script, *_]:
            script = ROOT / script
            assert script.is_file(), f"{where}: no file {script}"
        case ["hkjax", verb, *_]:
            script = ROOT / f"hkjax/cli/{verb}.py"
        case ["make", *arguments]:
            assert {x for x in arguments if "=" not in x} <= TARGETS, f"{where}: no such target"
            return
        case _:
            return
    defined = script.read_text()
    if "define_table_flags()" in defined:
        defined += (ROOT / "hkjax/cli/tables.py").read_text()
    missing = [
        flag
        for flag in flags
        if not flag.startswith("config.")
        and f'"{flag}"' not in defined
        and f'"--{flag}"' not in defined
        and flag != "help"
    ]
    assert not missing, f"{where}: {script.name} has no flags {missing}"
    for config in re.findall(r"--config[= ](configs/\S+)", " ".join(words)):
        assert (ROOT / config).is_file() or config == "configs/mine.py", f"{where}: no file {config}"


def run(code, where, commands, folder):
    lines = [shlex.split(line, comments=True) for line in code.replace("\\\n", " ").splitlines()]
    if all(words[:1] == ["hkjax"] for words in lines):
        for words in lines:
            result = commands.run(*words[1:], kind="documented", folder=folder)
            assert result.code == 0, f"{where}: {words}: {result.err}"
        return
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", "PATH": path}
    result = subprocess.run(["sh", "-e"], input=code, text=True, capture_output=True, env=environment, cwd=folder)
    assert result.returncode == 0, f"{where}: {result.stderr}"


@by_page
def test_the_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch, commands):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    for where, language, code in blocks(page, "python", "sh"):
        if language == "sh":
            run(code, where, commands, tmp_path)
            continue
        try:
            exec(compile(code, where, "exec"), names)
            if "get_config" in names:
                read_experiment(names.pop("get_config")())
        except Exception as error:
            raise AssertionError(f"{where}: {error!r}\n{code}") from error


@by_page
def test_the_commands_of_a_page_name_what_exists(page):
    for where, _, code in blocks(page, "sh", marked=True):
        for command in code.replace("\\\n", " ").splitlines():
            check_command(command, where)


@by_page
def test_no_block_of_code_hides_behind_another_name_of_its_language(page):
    hidden = [where for where, *_ in blocks(page, "py", "python3", "pycon", "bash", "shell", "console", "{code-block}")]
    assert not hidden, "write python or sh"


@by_page
def test_relative_links_point_to_files(page):
    text = re.sub(r"`[^`\n]*`", "", BLOCK.sub("", page.read_text()))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link and not link.startswith(("#", "mailto:")):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


@by_page
def test_links_to_lines_point_to_what_their_text_names(page):
    for name, path, line in re.findall(r"\[`[\w.]*?(\w+)`\]\(([^)#\s]+\.py)#L(\d+)\)", page.read_text()):
        found = (page.parent / path).read_text().splitlines()[int(line) - 1]
        assert re.match(rf"(def|class) {name}\b", found), f"{page.name}: {path}#L{line} is {found!r}, not {name}"


@by_page
def test_a_page_names_no_path_of_one_machine(page):
    found = re.search(r"(?<![\w.~/-])/(work|home|root|tmp|Users|mnt)/\S*", page.read_text())
    assert not found, found[0]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100
