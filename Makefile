# Everything a person types in this repository: make run, make test, make docs, make bench.
# Each target makes what it needs; a stamp file remembers that it is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECT := examples/support_intents/problem.yaml
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TEST_PROCESSES ?= 2

.PHONY: help run test check lint postgresql chromium docs bench bench-reliability reference clean

help:
	@echo "make run    a fresh machine to a trained, tested model: installs, trains the shipped sample, predicts"
	@echo "make test   formatting, linting, types, room rule, tests with coverage (make check is the same)"
	@echo "make docs   the documentation as a site in site/"
	@echo "make bench-reliability  the reliability tests at full size, resumable"
	@echo "make bench-verdict  whether verdicts hold their error rates: half an hour on one core, resumable"
	@echo "make bench  every benchmark; each cell is kept in benchmarks/results/ and not measured twice on one machine"

run: $(VENV)/.installed
	@$(BIN)/provetune models get minilm-en
	@$(BIN)/provetune run $(PROJECT)
	@echo
	@echo '$$ provetune predict $(PROJECT) "i was charged twice for the same order"'
	@$(BIN)/provetune predict $(PROJECT) "i was charged twice for the same order"

test: lint postgresql chromium
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder --cov --cov-report term:skip-covered --durations 15

check: test

# The ledger's tests start a PostgreSQL server of their own, in a temporary folder, from Debian's package; where its
# programs are neither there nor can be installed, those tests are skipped and say so.
postgresql:
	@command -v pg_ctl > /dev/null || ls /usr/lib/postgresql/*/bin/pg_ctl > /dev/null 2>&1 || { \
	  install='env DEBIAN_FRONTEND=noninteractive apt-get'; \
	  if [ "$$(id -u)" != 0 ]; then install="sudo -n $$install"; fi; \
	  if command -v apt-get > /dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2> /dev/null; }; then \
	    echo "Installing PostgreSQL's server for the ledger's tests (once) ..."; \
	    $$install install -y -qq --no-install-recommends postgresql > /dev/null 2>&1 \
	      || { $$install update -qq && $$install install -y -qq --no-install-recommends postgresql; } > /dev/null \
	      || echo "It could not be installed: the tests that need it are skipped."; \
	  else \
	    echo "PostgreSQL's server is not here: the tests that need it are skipped (sudo apt-get install postgresql)."; \
	  fi; }

# The report's page is looked at in a real browser, Debian's; where there is none and none can be installed, those tests
# are skipped and say so.
chromium:
	@command -v chromium > /dev/null || command -v chromium-browser > /dev/null || { \
	  install='env DEBIAN_FRONTEND=noninteractive apt-get'; \
	  if [ "$$(id -u)" != 0 ]; then install="sudo -n $$install"; fi; \
	  if command -v apt-get > /dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2> /dev/null; }; then \
	    echo "Installing Chromium for the tests of the report's page (once) ..."; \
	    $$install install -y -qq --no-install-recommends chromium > /dev/null 2>&1 \
	      || { $$install update -qq && $$install install -y -qq --no-install-recommends chromium; } > /dev/null \
	      || echo "It could not be installed: the tests that need it are skipped."; \
	  else \
	    echo "Chromium is not here: the tests that need it are skipped (sudo apt-get install chromium)."; \
	  fi; }

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
	$(BIN)/python benchmarks/task_speed.py --save task_speed.json
	$(BIN)/python benchmarks/task_results.py
	$(BIN)/python benchmarks/methods.py
	$(BIN)/python benchmarks/few_shot.py
	$(BIN)/python benchmarks/robustness.py
	$(BIN)/python benchmarks/continual.py
	$(BIN)/python benchmarks/self_training.py
	$(BIN)/python benchmarks/pretraining.py

bench-verdict: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/verdict_calibration.py --save verdict_calibration.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/verdict_departures.py --save verdict_departures.json

bench-reliability: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/reliability_ledger.py --save reliability_ledger.json
	$(BIN)/python benchmarks/reliability_serving.py --save reliability_serving.json
	$(BIN)/python benchmarks/reliability_security.py --save reliability_security.json

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
