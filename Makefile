# What one does with this repository. `make` alone lists it.
# PYTHON is only used to make the environment; everything else runs inside it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help install test quick check lint format types bench docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1\t\2/' | expand -t 12

install: $(VENV)/installed ## make .venv with nerfloss and all tools for working on it

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e '.[dev]'
	touch $@

test: install ## run every test (those for a GPU skip where there is none)
	$(BIN)/python -m pytest -n 2

quick: install ## run the tests that take less than about ten seconds each
	$(BIN)/python -m pytest -n 2 -m 'not slow'

check: lint types test ## what must pass before a commit: style, types and every test

lint: install ## check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install ## check types
	$(BIN)/pyright --pythonpath $(BIN)/python

format: install ## format the code and sort the imports
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

bench: install ## run the benchmarks in their short form (under ten minutes); benchmarks/README.md
	$(BIN)/pip install -q -e '.[bench]'
	$(BIN)/python benchmarks/gate.py
	$(BIN)/python benchmarks/networks.py
	$(BIN)/python benchmarks/step.py --steps 100
	$(BIN)/python benchmarks/scale.py --short
	$(BIN)/python benchmarks/quality.py

docs: install ## build the documentation as a site, in site/; warnings are errors
	$(BIN)/mkdocs build

clean: ## remove what builds and tests left behind; outputs/ and data/ stay
	rm -rf build dist .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -type d -exec rm -rf {} +
