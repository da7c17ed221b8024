# Every target does its own set-up: a virtual environment in .venv, pinned by constraints.txt.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/demo.yaml

.PHONY: help backtest test lint bench clean

help:
	@echo "make backtest   run $(CONFIG) and write its tear sheet to results/"
	@echo "make test       run the tests"
	@echo "make lint       ruff and mypy"
	@echo "make bench      benchmarks, as ratios"

backtest: $(VENV)/.run
	$(BIN)/hpi-bt run $(CONFIG)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev .venv-bench/.done
	$(BIN)/python -m benchmarks --write docs/benchmarks.md

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "hpi_bt needs Python 3.11 or newer: install it, or say PYTHON=/path/to/python"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) lacks ensurepip: install it (Debian, Ubuntu: apt-get install python3-venv)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/.run: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,dask]'
	@touch $@ $(VENV)/.run

# The peers live apart: what they need must not decide what hpi_bt gets.
.venv-bench/.done: benchmarks/constraints.txt $(VENV)/pyvenv.cfg
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check \
		-c benchmarks/constraints.txt vectorbt backtesting
	@touch $@

clean:
	rm -rf $(VENV) .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
