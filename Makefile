# `make help` lists what there is.
PYTHON ?= python3
PORT ?= 8800
# More than the cores: the tests wait for processes and clocks more than they compute.
WORKERS ?= 10
# Each case of chaos waits for leases more than it computes, but promises seconds: more make two cores miss them.
CHAOS_WORKERS ?= 6
CHAOS ?= tests
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The tests start hundreds of processes: none of them may compile every module again, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test lint types imports pytest format golden benchmark chaos explore lock install wheel

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## create .venv from the hash-locked requirements

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 …") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(STAMP)

demo: $(STAMP) ## start everything on this machine: Postgres, Railway, Slack, API, workers and the bot
	@$(BIN)/python -m services.sandbox --port $(PORT)

demo-reset: $(STAMP) ## empty the demo's data
	@$(BIN)/python -m services.sandbox --reset

test: lint ## every check that must be green
	@$(MAKE) --no-print-directory -j3 types imports pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

pytest: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

golden: $(STAMP) ## rewrite the golden files of messages; read the diff
	$(BIN)/pytest -q tests/messages --rewrite
	CIVIL_REWRITE=1 $(BIN)/pytest -q tests/integration/civil/test_golden.py

benchmark: $(STAMP) ## measure, as ratios in one run
	$(BIN)/pytest -m benchmark -s tests/benchmarks

chaos: $(STAMP) ## the full fault matrices: kills, lost answers, outages at every boundary
	$(BIN)/pytest -m chaos -s -n $(CHAOS_WORKERS) --dist worksteal $(CHAOS)

explore: $(STAMP) ## the property tests with other examples in each run
	$(BIN)/pytest -n $(WORKERS) -q --hypothesis-profile explore tests/unit tests/integration/services/api

wheel: $(STAMP) ## build the wheels of the product and of the demo into dist/
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist . ./services/sandbox
	rm -rf build services/sandbox/build services/sandbox/*.egg-info

lock: ## lock the dependencies again (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml --extra otel -c requirements.txt -o requirements-otel.txt
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml --extra dev -o requirements-dev.txt
