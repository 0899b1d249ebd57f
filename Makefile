# Everything a person types in this repository: make run, make test, make docs, make bench.
# Each target makes what it needs; a stamp file remembers that it is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECT := examples/support_intents/problem.yaml
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TEST_PROCESSES ?= 2

.PHONY: help run test check lint docs bench reference clean

help:
	@echo "make run    a fresh machine to a trained, tested model: installs, trains the shipped sample, predicts"
	@echo "make test   formatting, linting, types, room rule, tests with coverage (make check is the same)"
	@echo "make docs   the documentation as a site in site/"
	@echo "make bench  every benchmark; each cell is kept in benchmarks/results/ and not measured twice on one machine"

run: $(VENV)/.installed
	@$(BIN)/provetune models get minilm-en
	@$(BIN)/provetune run $(PROJECT)
	@echo
	@echo '$$ provetune predict $(PROJECT) "i was charged twice for the same order"'
	@$(BIN)/provetune predict $(PROJECT) "i was charged twice for the same order"

test: lint
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadscope --cov --cov-report term:skip-covered --durations 15

check: test

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev reference
	$(BIN)/mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html."

reference: $(VENV)/.installed-dev
	$(BIN)/python docs/generate_reference.py

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/train_speed.py --save train_speed.json
	$(BIN)/python benchmarks/train_speed.py --busy --save train_busy.json
	$(BIN)/python benchmarks/predict_speed.py --save predict_speed.json
	$(BIN)/python benchmarks/study_speed.py --save study_speed.json
	$(BIN)/python benchmarks/study_speed.py --head --save head_study.json
	$(BIN)/python benchmarks/memory.py --save memory.json
	$(BIN)/python benchmarks/quality.py

clean:
	rm -rf site build dist .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Provetune needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Provetune into $(VENV) (once; takes a minute or two) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Provetune and its developer tools into $(VENV) (once) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed
