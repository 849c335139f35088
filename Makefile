PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo docs fuzz test

# Trains, evaluates and draws the pictures on generated data; see runs/synthetic/report.md.
demo: .venv/installed
	$(BIN)/python train.py --workdir=runs/synthetic
	$(BIN)/python evaluate.py --workdir=runs/synthetic

# Lint, types and tests.
test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist worksteal

# Thousands of flawed tables, settings, signals and damaged runs, in about an hour; what came of them, by kind.
fuzz: .venv/installed
	rm -f runs/fuzz.jsonl && mkdir -p runs
	HKJAX_FUZZ=long HKJAX_FUZZ_LOG=$(CURDIR)/runs/fuzz.jsonl $(BIN)/pytest -n 2 --dist worksteal tests/fuzz
	$(BIN)/python tests/fuzz/summary.py runs/fuzz.jsonl

# Runs the gallery, then builds guide and API reference in docs/_build/html; warnings are errors.
docs: .venv/installed
	$(BIN)/pytest -n 2 docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@
