# Every task of the project. `make help` lists them.
# Nothing is needed beforehand but Python 3.11 or later (and apt, as root, for the servers the tests start).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHARED ?= ../shared
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PATH := $(PATH):/usr/sbin

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev servers demo test lint format bench bench-language bench-detection bench-detection-docs bench-backtest wheel-check detectors-check mutants check run clean

help: ## list all tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-21s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -U 'pip>=25.1'

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[embeddings,transformer]' --group test --group lint build
	@touch $@

setup: $(VENV)/.run ## make .venv and install Sentinel into it

setup-dev: $(VENV)/.dev ## the same with everything for tests and lint

servers: ## install the servers that the tests start (Mosquitto, promtool, amtool), as root through apt
	@deploy/scripts/install-test-servers.sh

demo: setup ## the main job on embedded defaults: a crisis, its alert, its playbook
	@$(BIN)/sentinel demo

run: setup ## run the service with sentinel.toml
	@$(BIN)/sentinel run

test: setup-dev servers ## the whole suite
	$(BIN)/python -m pytest

lint: setup-dev ## ruff, mypy --strict, import-linter, playbooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sentinel playbooks lint

format: setup-dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev ## throughput, latency, memory and start-up of the main job
	$(BIN)/python -m benchmarks.main_job

bench-language: setup-dev ## posts a second, memory and load time of each scorer; ARGS="--posts FILE --transformer DIRECTORY"
	$(BIN)/python -m benchmarks.language $(ARGS)

bench-detection: setup-dev ## delay and false alarms beside an oracle, a rule and river; ARGS="--full --nab PATH --json FILE"
	$(BIN)/python -m benchmarks.detection $(ARGS)

bench-detection-docs: setup-dev ## the same in full (long), rewriting tables and plots in docs/; ARGS="--nab PATH"
	$(BIN)/python -m benchmarks.detection --docs $(if $(findstring --quick,$(ARGS)),,--full) $(ARGS)

bench-backtest: setup-dev ## how long a backtest of 90 days of a busy brand takes
	$(BIN)/python -m benchmarks.backtest

wheel-check: setup-dev ## build the wheel, install it alone, run the demo from another directory
	@deploy/scripts/check-wheel.sh

detectors-check: ## tests/detectors in an environment that has only what detectors/ needs
	@deploy/scripts/check-detectors.sh

mutants: setup-dev ## spoil the detectors line by line; their tests must notice
	$(BIN)/python tests/detectors/mutants.py

check: setup ## check sentinel.toml
	@$(BIN)/sentinel check

clean: ## remove what was built
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
