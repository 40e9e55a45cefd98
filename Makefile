# Zonewise. `make demo` sets everything up and runs the main job; `make test` passes the tests.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: demo test coverage lint docs bench clean lock licences sbom audit

KERNELS := $(wildcard simulation/*/*kernels.py simulation/*/*/*kernels.py) simulation/traffic/layout.py

demo: $(VENV)/.app $(VENV)/.kernels
	$(BIN)/zonewise demo $(ARGS)

test: $(VENV)/.dev $(VENV)/.kernels
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

# Which lines the tests run. A tracer may end a thread of a server: a test that fails here alone may be its doing
coverage:
	$(MAKE) test ARGS="--cov --cov-report=term $(ARGS)"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -q -W --keep-going -j auto -b html -d build/doctrees docs build/site
	$(BIN)/python docs/check_site.py build/site
	@echo "open build/site/index.html"

bench: $(VENV)/.app $(VENV)/.kernels
	$(BIN)/zonewise benchmark city $(ARGS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

# Exactly what the lock names, by version and hash, where it fits: 64-bit Linux with Python 3.11.5 to 3.13
LOCKED := import platform as p, sys; ok = (3, 11, 5) <= sys.version_info < (3, 14); \
	sys.exit(not (ok and p.system() == "Linux" and p.machine() == "x86_64"))
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(VENV)/.dev: pyproject.toml supply/lock.txt | $(VENV)/bin/python
	if $(BIN)/python -c '$(LOCKED)'; then $(PIP) --require-hashes -r supply/lock.txt && $(PIP) --no-deps --editable .; \
	else echo "supply/lock.txt is not for this machine: installing by pyproject.toml"; $(PIP) --editable '.[dev]'; fi
	touch $@ $(VENV)/.app

# The lock is made anew after a change of pyproject.toml; then the licences of what it names
lock: $(VENV)/.supply
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11.5 --generate-hashes \
	    --no-emit-index-url --no-annotate --no-header --quiet --upgrade --output-file supply/lock.txt

licences: $(VENV)/.dev
	$(BIN)/python supply/licences.py

sbom: $(VENV)/.dev $(VENV)/.supply
	mkdir -p build
	$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible \
	    --output-format JSON --output-file build/sbom.cdx.json

audit: $(VENV)/.supply
	$(BIN)/pip-audit --requirement supply/lock.txt --require-hashes --disable-pip --strict

$(VENV)/.supply: pyproject.toml | $(VENV)/bin/python
	$(PIP) '$(shell sed -n 's/^supply = \["\(.*\)"\]/\1/p' pyproject.toml | sed 's/", "/'"' '"'/g')'
	touch $@

# Numba keeps a compiled kernel until its own file changes: when one has changed, forget those that call it too
$(VENV)/.kernels: $(KERNELS) | $(VENV)/bin/python
	find simulation -name '*.nb[ic]' -delete
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
