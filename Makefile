# Zonewise. `make demo` sets everything up and runs the main job; `make test` passes the tests.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: demo test lint bench clean

KERNELS := $(wildcard simulation/*/*kernels.py simulation/*/*/*kernels.py) simulation/traffic/layout.py

demo: $(VENV)/.app $(VENV)/.kernels
	$(BIN)/zonewise demo $(ARGS)

test: $(VENV)/.dev $(VENV)/.kernels
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.app $(VENV)/.kernels
	$(BIN)/zonewise benchmark city $(ARGS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.app

# Numba keeps a compiled kernel until its own file changes: when one has changed, forget those that call it too
$(VENV)/.kernels: $(KERNELS) | $(VENV)/bin/python
	find simulation -name '*.nb[ic]' -delete
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
