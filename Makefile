# Every task of this repository. `make` or `make help` lists them.
#
# Needs python3 (3.11 or newer) with its venv module, git and make; everything else is fetched
# into .tools/ and .venv/. Stamps keep a warm run fast: only a changed lock or pyproject.toml
# makes it look at the packages again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
MANIFESTS := uv.lock $(wildcard pyproject.toml */pyproject.toml)
SOURCES := wire/src agent/src controlplane/src client/src applications/src
# compiled at once: where Python may not write byte code itself (containers often say so), each process
# of a demo or a test would compile the libraries anew, which takes longer than all that it does
SYNC := UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --inexact --compile-bytecode \
  --python .tools/bin/python
COMPILE := .venv/bin/python -m compileall -q -j 0 $(SOURCES)

.PHONY: help setup demo demo-keys test lint format types contracts check ring install-test wheels bench clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.synced-run ## Run the main job on this machine: broker, control plane, three agents (KEEP=1 leaves it running)
	@.venv/bin/qfleet demo $(if $(KEEP),--keep)

demo-keys: .venv/.synced-keys ## Make, relay and deliver keys between two sites here, and catch an eavesdropper
	@.venv/bin/qfleet demo-keys

setup: .venv/.synced-dev ## Set up everything that the tasks below need

test: setup ## Run the tests (ARGS='-k name' hands arguments to pytest)
	@.ci/need mosquitto mosquitto
	@.ci/need pg_createcluster postgresql
	@.venv/bin/pytest -q -n 2 --dist loadfile $(ARGS)

lint: setup ## Check style and format with ruff
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check .

format: setup ## Format the code and fix what ruff can fix
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format --quiet .

types: setup ## Check the types with mypy (strict)
	@.venv/bin/mypy --no-error-summary --cache-dir .mypy_cache/all $(SOURCES) tests benchmarks

contracts: setup ## Check the floors: which package may import which
	@.venv/bin/lint-imports --no-cache

check: lint types contracts test ## All of lint, types, contracts and test

ring: setup ## Run SCHEDULES=100000 simulated schedules of faults, with progress (FIRST= the first seed)
	@.venv/bin/python -m tests.simulation --schedules=$(or $(SCHEDULES),100000) --first=$(or $(FIRST),0)

install-test: setup ## Install the wheels alone, and boot the units under systemd in a container (as root)
	@.venv/bin/pytest -q --install tests/install $(ARGS)

wheels: .tools/.uv-$(UV_VERSION) ## Build all wheels into dist/, with the versions that they were tested with
	@$(UV) build --quiet --all-packages --wheel --clear --out-dir dist
	@$(UV) export --quiet --frozen --all-packages --all-extras --no-dev --no-emit-workspace --no-hashes \
	  --no-annotate --no-header > dist/constraints.txt
	@ls dist

bench: .venv/.synced-bench ## Print the performance figures against their peers
	@.venv/bin/python -m benchmarks $(ARGS)

clean: ## Remove what the tasks made
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	@find $(SOURCES) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.tools/.uv-$(UV_VERSION):
	@command -v $(PYTHON) >/dev/null || { \
	  echo "make: $(PYTHON) is not installed. On Debian: apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: qfleet needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "      Name a newer one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "make: $(PYTHON) lacks its venv module. On Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up uv $(UV_VERSION) in .tools/"
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/.synced-run: .tools/.uv-$(UV_VERSION) $(MANIFESTS)
	@echo "Setting up what qfleet needs to run in .venv/"
	@$(SYNC) --no-default-groups --group run
	@$(COMPILE)
	@touch $@

.venv/.synced-keys: .tools/.uv-$(UV_VERSION) $(MANIFESTS)
	@echo "Setting up what the demo of keys needs to run in .venv/"
	@$(SYNC) --no-default-groups --group keys
	@$(COMPILE)
	@touch .venv/.synced-run $@

.venv/.synced-dev: .tools/.uv-$(UV_VERSION) $(MANIFESTS)
	@echo "Setting up what the tests need in .venv/"
	@$(SYNC) --group dev
	@$(COMPILE)
	@touch .venv/.synced-run .venv/.synced-keys $@

.venv/.synced-bench: .tools/.uv-$(UV_VERSION) $(MANIFESTS)
	@echo "Setting up what the figures are compared with in .venv/"
	@$(SYNC) --group dev --group bench
	@$(COMPILE)
	@touch .venv/.synced-run .venv/.synced-keys .venv/.synced-dev $@
