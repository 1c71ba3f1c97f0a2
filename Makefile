# `make` prints the targets. Everything runs in .venv, which is made once and again when what it needs has changed.

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
PIP := $(if $(UV),uv pip install --python $(BIN)/python,$(BIN)/python -m pip install) --quiet -c constraints.txt
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
NEWER := import sys; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test check bench attack openapi clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s%s\n", $$1, $$2 }' Makefile

install: $(VENV)/.installed ## .venv with the project and its packages, as pinned in constraints.txt

demo: install ## one loan acceptance between the LSP and the lender, shown step by step
	$(BIN)/ocen-sandbox demo --exit

# The files of the tests are in memory where there is room for them: a commit then costs no write to a disk.
MEMORY := $(shell df --output=avail /dev/shm 2>/dev/null | awk '$$1 + 0 > 4000000 { print "/dev/shm" }')

# Two at a time: many of the tests wait for processes, and those of one file share what they have started. The files in
# their order, live ones early: by default those with the fewest tests come last, which are the slowest of all. Compiled
# modules are kept even where Python is told not to: else every process that a test starts compiles all of ours anew.
test: install ## the tests; make test ARGS="-k replay" runs some
	$(if $(MEMORY),TMPDIR=$(MEMORY) )PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: install ## style, types and the layers of the packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install ## the speed of signed exchanges on this machine
	$(BIN)/ocen-sandbox bench

attack: install ## what other clients notice of attacks; ARGS="--only idle" for some
	$(BIN)/python -m tests.attack $(ARGS)

openapi: install ## the OpenAPI documents that the packages carry, after a change of the catalogue or of a route
	$(BIN)/python -m sandbox.openapi

clean: ## remove .venv and caches; keys (certs/generated) and data (.sandbox) stay
	rm -rf $(VENV) dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The build tool comes first and is then used as it is, so that its version is pinned too.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the packages of constraints.txt in $(VENV): about a minute, once."
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

$(BIN)/python:
	@for name in $(PYTHON); do \
		if "$$name" -c '$(NEWER)' 2>/dev/null; then \
			$(if $(UV),uv venv --quiet --python "$$name" $(VENV),"$$name" -m venv $(VENV)) && exit; \
			rm -rf $(VENV); exit 1; \
		fi; \
	done; \
	echo "No Python 3.11 or newer among: $(PYTHON). Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1
