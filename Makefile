# `make run` and `make test` are all that a fresh clone needs: Python 3.11 or later, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev
PYTEST_ARGS ?=
FUZZ ?= 50

.DEFAULT_GOAL := help
.PHONY: help run test lint check format docs picture faults fuzz bench chaos clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(READY) ## start the daemon on this folder, with its example strategies
	@exec $(BIN)/stratvisor --home . up

test: $(DEV_READY) ## all tests (browser tests are skipped, and say so, where there is no Chromium)
	$(BIN)/python -m compileall -q src tests  # or each of a thousand processes does, where PYTHONDONTWRITEBYTECODE is set
	$(BIN)/python -m pytest -n 4 --dist worksteal -q -rs $(PYTEST_ARGS)

lint: $(DEV_READY) ## format, lint, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

check: lint ## the same, then all tests with branch coverage
	$(MAKE) test PYTEST_ARGS="--cov --cov-branch --cov-report=term:skip-covered $(PYTEST_ARGS)"

format: $(DEV_READY) ## mend what can be mended by itself
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(DEV_READY) ## write the README's tables of keys from the code
	$(BIN)/python docs/reference.py README.md

picture: $(DEV_READY) ## take the README's picture of the page
	$(BIN)/python docs/picture.py

faults: $(DEV_READY) ## kill shim and daemon at every step, and print what was seen
	STRATVISOR_FAULTS=all $(BIN)/python -m pytest -n 2 --dist worksteal -q -rP tests/integration/test_faults.py

fuzz: $(DEV_READY) ## the fuzz tests, 50 times as long as in `make test` and with new luck: make fuzz FUZZ=500
	STRATVISOR_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz -n 2 -q -rs $(PYTEST_ARGS)

bench: $(DEV_READY) ## compare with supervisor and circus, installed beside it from PyPI, and with croniter
	$(BIN)/python benchmarks/bench.py

SECONDS := 60
SEED :=
chaos: $(DEV_READY) ## kill everything at random for SECONDS=60, SEED=7 to repeat a course; needs Linux
	$(BIN)/python tests/chaos/chaos.py --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

clean: ## remove what make made; an instance's run/, log/, keys/ and data/ stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stratvisor needs Python 3.11 or later: make PYTHON=python3.12 run")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
