# make run starts the server, make test runs the tests; the other targets are for development. Needs Python 3.11-3.13.
# HOST, PORT, WEB_CONCURRENCY, SERVICE_PASS and all other settings come from the environment or from .env.

PYTHON ?= python3
N ?= 1000
MINUTES ?= 30
VENV := .venv
BIN := $(VENV)/bin
# Two processes. A file stays in one of them, so that its tests can share a server. ARGS="-n 0" runs everything in one.
PYTEST := -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# The tests of `make test`, as a marker expression.
TESTS ?= not faults and not soak
# With ARGS that select tests, such as -k, -m or a path, the coverage of the rest is missing: none is required.
SELECTED := $(strip $(filter -k% -m% --lf --last-failed testing/%,$(ARGS)))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test test-quick test-faults test-soak check format docs load benchmark lock image clean

help:  ## Show this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: $(VENV)/runtime  ## Serve on HOST and PORT, 127.0.0.1:8000 by default; settings may be in .env
	@grep -qsE '^ *(export +)?LOG_FILE *=' .env || export LOG_FILE="$${LOG_FILE-ML_server.log}"; \
	    PATH="$(CURDIR)/$(BIN):$$PATH" exec gunicorn/start-server.sh

ifeq ($(SELECTED),)
test: $(VENV)/testing  ## Run all tests; less than 95% coverage fails. ARGS="-k name" runs some
	@echo "All tests take about half an hour on two cores; make test-quick takes about one."
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m coverage run $(PYTEST) -m "$(TESTS)" $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report
else
test: $(VENV)/testing
	@$(BIN)/python $(PYTEST) -m "$(TESTS)" $(ARGS)
endif

test-quick: $(VENV)/testing  ## Run the tests that need neither a server nor a training, in about a minute
	@$(BIN)/python $(PYTEST) -m "not faults and not soak and not slow" testing/house testing/ml testing/rest_api $(ARGS)

test-faults: $(VENV)/testing  ## Run the tests that take minutes: workers killed, memory or disk full, too many callers
	@$(BIN)/python $(PYTEST) -m faults $(ARGS)

test-soak: $(VENV)/testing  ## Half an hour of mixed load beside kills and trainings; MINUTES=5 for less
	@SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -m soak -s $(ARGS)

check: $(VENV)/testing  ## Check format, lint, types, imports between wings and private names
	@$(BIN)/python -m ruff format --check --quiet --diff .
	@$(BIN)/python -m ruff check --quiet --output-format concise .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q -n 0 testing/house

format: $(VENV)/testing  ## Format, and mend what lint can
	@$(BIN)/python -m ruff check --fix-only --quiet .
	@$(BIN)/python -m ruff format --quiet .

docs: $(VENV)/docs  ## Build the documentation with the API reference into site/; a broken link fails
	@$(BIN)/python -m mkdocs build --strict --quiet

load: $(VENV)/testing  ## Fire N=1000 predictions at the running server
	@eval "$$($(BIN)/python -m ML.config.environment)"; $(BIN)/python testing/async_predictions.py $(N) $(ARGS)

benchmark: $(BIN)/python  ## Compare with other servers, in half an hour; ARGS="--rounds 1 --models svc" for less
	@$(BIN)/python testing/benchmark/run.py $(ARGS)

lock: $(VENV)/lock/bin/uv  ## Renew constraints.txt: the newest versions that suit all of Python 3.11-3.13
	@$(VENV)/lock/bin/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 \
	    --no-header --annotation-style line --output-file .constraints requirements.txt testing/requirements.txt docs/requirements.txt
	@{ echo "# The lock, for Python 3.11-3.13. Do not edit: change requirements.txt, then \`make lock\`."; cat .constraints; } > constraints.txt
	@rm .constraints

image:  ## Build the container image fast-api-ml
	docker build -t fast-api-ml .

clean:  ## Remove what the other commands made, but no model
	rm -rf $(VENV) testing/*/.environments .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache testing/artifacts site
	find ML rest_api testing -name __pycache__ -prune -exec rm -rf {} +

# The environment. Each target is a stamp file, newer than the requirements that it was installed from.

$(VENV)/runtime: requirements.txt constraints.txt $(BIN)/python
	@echo "Installing requirements.txt ..."
	@$(PIP) install -r requirements.txt -c constraints.txt
	@touch $@

$(VENV)/testing: testing/requirements.txt $(VENV)/runtime
	@echo "Installing testing/requirements.txt ..."
	@$(PIP) install -r testing/requirements.txt -c constraints.txt
	@touch $@

$(VENV)/docs: docs/requirements.txt constraints.txt $(BIN)/python
	@echo "Installing docs/requirements.txt ..."
	@$(PIP) install -r docs/requirements.txt -c constraints.txt
	@touch $@

$(VENV)/lock/bin/uv: $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/lock
	@$(VENV)/lock/bin/python -m pip --disable-pip-version-check --quiet install uv

# Debian's python3 lacks ensurepip. Without this check, venv would fail and leave half an environment behind.
$(BIN)/python:
	@case "$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" in \
	    3.11|3.12|3.13) ;; \
	    [0-9].[0-9]*) echo "$(PYTHON) is not Python 3.11-3.13. Name one that is: make PYTHON=python3.13" >&2; exit 1 ;; \
	    *) echo "$(PYTHON) is not found or not Python. Install Python 3.11-3.13 (Debian: apt install python3-venv)," \
	        "or name it: make PYTHON=/path/to/python3" >&2; exit 1 ;; \
	esac
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "$(PYTHON) lacks venv. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
