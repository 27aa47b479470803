# SigmaSight. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The newest Python at hand from 3.11 on; say PYTHON=... for another.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$name && break; done)
ARGS ?=
BIN := .venv/bin
MEMBERS := $(wildcard libs/* services/*) .
MANIFESTS := pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
TEST_DATABASE_URL ?=
TEST_BROKER ?=
export TEST_DATABASE_URL TEST_BROKER
# Where it is set, each worker, and each process that a test starts, compiles all of it anew.
unexport PYTHONDONTWRITEBYTECODE
# Systems that tests start need the cores as well: with more of them, tests with time limits fail.
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

# --- running -------------------------------------------------------------------------------------

.PHONY: demo
demo: .venv/.runtime ## Start everything, import a portfolio, print its risk (ARGS=--once to end then)
	@$(BIN)/python -m deploy.embedded demo $(ARGS)

.PHONY: up
up: .venv/.runtime ## Start everything and stay up; BROKER=amqp://… DATABASE_URL=postgresql://… to use yours
	@$(if $(BROKER),BROKER='$(BROKER)') $(if $(DATABASE_URL),DATABASE_URL='$(DATABASE_URL)') $(BIN)/python -m deploy.embedded up $(ARGS)

.PHONY: up-processes
up-processes: .venv/.runtime ## The same as seven processes: DATABASE_URL=… BROKER=… (ARGS="--replicas risk-engine=2")
	@$(if $(BROKER),BROKER='$(BROKER)') $(if $(DATABASE_URL),DATABASE_URL='$(DATABASE_URL)') $(BIN)/python -m deploy.processes up $(ARGS)

# --- checking ------------------------------------------------------------------------------------

.PHONY: test
test: .venv/.dev ## All tests; RabbitMQ's need TEST_BROKER, Postgres is ours unless TEST_DATABASE_URL
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

.PHONY: check
check: .venv/.dev ## What CI runs: lint, types, import contracts, documents, all tests
	@$(MAKE) --no-print-directory -j 2 types lint imports documents
	@REQUIRE_RABBITMQ=1 $(MAKE) --no-print-directory test

.PHONY: lint
lint: .venv/.dev
	@$(BIN)/ruff check && $(BIN)/ruff format --check

.PHONY: types
types: .venv/.dev
	@$(BIN)/mypy

.PHONY: imports
imports: .venv/.dev
	@$(BIN)/lint-imports

.PHONY: documents
documents: .venv/.dev ## Compare the generated documents with what the code says (WRITE=1 writes them)
	@$(BIN)/python -m deploy.embedded.documents $(if $(WRITE),--write)

.PHONY: release-contracts
release-contracts: .venv/.dev ## Freeze the contracts as they are: part of a release
	@$(BIN)/python -m deploy.embedded.documents.released

# What a failure prints: SEED and ONLY; POINTS, ROUNDS and IMPORTS make it shorter or longer.
SEED ?=
POINTS ?=
ROUNDS ?=
IMPORTS ?=
ONLY ?=
FAULT := FAULT_SEED='$(SEED)' FAULT_POINTS='$(POINTS)' FAULT_ROUNDS='$(ROUNDS)' \
	FAULT_IMPORTS='$(IMPORTS)' FAULT_ONLY='$(ONLY)'

.PHONY: fault
fault: .venv/.dev ## Kill hosts at every crash point on both transports, and worse; a new SEED each time
	@$(FAULT) $(BIN)/pytest tests/fault -m fault -n 2 --dist load $(ARGS)

.PHONY: fault-smoke
fault-smoke: .venv/.dev ## Some of it, always the same: what CI runs beside check
	@REQUIRE_RABBITMQ=1 $(MAKE) --no-print-directory fault SEED=1 POINTS=1 ROUNDS=1 \
		ARGS="-k 'crash_point or first_start or multiplied or random_moments or postgres_ended or redrive' $(ARGS)"

.PHONY: mutate
mutate: .venv/.dev ## Make mistakes in copies of the risk engine, one at a time: tests must notice each
	@$(BIN)/pytest tests/mutation -m mutation -n 2 --dist load $(ARGS)

.PHONY: bench
bench: .venv/.dev ## Measure and print the rows of docs/benchmarks.md (about half an hour on a quiet machine)
	@$(BIN)/pytest tests/benchmarks -m benchmark -s $(ARGS)

# --- environment ---------------------------------------------------------------------------------

.PHONY: setup
setup: .venv/.dev ## The environment with everything for development

.PHONY: lock
lock: ## Compile the lock files anew (needs uv)
	@bash deploy/locks/compile.sh

.PHONY: clean
clean: ## Remove the environment and caches (never SIGMASIGHT_HOME)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.runtime: requirements.lock $(MANIFESTS)
	@LOCK=requirements.lock PYTHON='$(PYTHON)' bash deploy/install.sh $(MEMBERS)
	@touch $@

.venv/.dev: requirements-dev.lock requirements.lock $(MANIFESTS)
	@LOCK=requirements-dev.lock PYTHON='$(PYTHON)' bash deploy/install.sh $(MEMBERS)
	@touch .venv/.runtime $@
