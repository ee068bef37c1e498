# run, test, check, test-real: each does its own set-up, in .venv, once per change of pyproject.toml.
# Needs python3 >= 3.11 and pip; nothing else. Another interpreter: make PYTHON=python3.12 run

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test check lint format types imports schemas test-real

help:
	@echo "make run        runs recipes/persona_essays.yaml; without a model server it rehearses"
	@echo "make test       the tests"
	@echo "make check      lint, format, types, import directions, generated schemas"
	@echo "make test-real  tests against real servers, in environments of their own"

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "attar needs Python 3.11 or newer; name one with make PYTHON=..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $(READY)

run: $(READY)
	$(BIN)/attar run recipes/persona_essays.yaml --show 3

test: $(READY)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not real and not vllm"

check: lint format types imports schemas

lint: $(READY)
	$(BIN)/ruff check .

format: $(READY)
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy --strict

imports: $(READY)
	$(BIN)/lint-imports

schemas: $(READY)
	$(BIN)/attar schema --check

test-real: $(READY)
	sh tests/real/run.sh
	sh tests/real/retrieval.sh
