# Every target sets up its own environment in .venv; nothing else is needed but Python 3.11+, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

SECONDS ?= 3600
SEED ?= $(shell date +%s)
ONLY ?=
AT_ONCE ?= 3

# uv installs in a fraction of pip's time, but reads pip's settings from nowhere: what the environment says is passed on.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)
export UV_INDEX_STRATEGY ?= unsafe-best-match
endif

.PHONY: help demo test test-fast torture check format sample clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       make sample videos, extract them, show what came out"
	@echo "make test       run the tests, AT_ONCE=3 at a time"
	@echo "make test-fast  run the tests of the command line's settings, its output and the layers"
	@echo "make torture    run the long forms of the fault tests; SECONDS=3600 SEED=1 ONLY=\"kills ...\" bound and choose"
	@echo "make check      format, lint, types, import contracts; changes nothing"
	@echo "make format     format, and mend what the linter can"
	@echo "make sample     write sample_config.toml from the schema"
	@echo "make clean      remove the environment, builds and the demo's folder"

demo: $(STAMP)
	$(BIN)/vconsole demo

test: $(STAMP)
	$(BIN)/python -m pytest -n $(AT_ONCE) --dist worksteal

test-fast: $(STAMP)
	$(BIN)/python -m pytest -q tests/test_layers.py tests/cli/test_cli_config.py tests/cli/test_cli_headless.py

torture: $(STAMP)
	$(BIN)/python tests/torture/torture.py --seconds $(SECONDS) --seed $(SEED) $(if $(ONLY),--only $(ONLY))

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

sample: $(STAMP)
	$(BIN)/python -m vconsole.sample > sample_config.toml

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "vconsole needs Python 3.11 or newer; name one: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet -c constraints.txt uv && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e ".[dev]" || \
	  { echo "uv could not; pip does it, which takes longer"; \
	  $(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"; }
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist demo *.egg-info
