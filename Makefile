# make demo | test | lint | types | benchmark.   Everything is installed into .venv, at the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
.DEFAULT_GOAL := help

.PHONY: help demo test lint types check format benchmark clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "neurito needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,lint,pynapple]'
	@touch $@

demo: $(STAMP) ## simulate spikes of a known network, fit it, draw what was found beside the truth (under three minutes)
	$(BIN)/python examples/demo.py

test: $(STAMP) ## the tests
	$(BIN)/python -m pytest -n 2

lint: $(STAMP) ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

check: lint types test ## what CI runs

format: $(STAMP) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(STAMP) ## timings against the reference implementations (see benchmarks/README.md)
	$(BIN)/python benchmarks/speed.py

clean: ## remove the environment and every output
	rm -rf $(VENV) runs demo .pytest_cache .mypy_cache .ruff_cache
