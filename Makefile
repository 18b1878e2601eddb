# Everything here works as the first command in a fresh clone: Python 3.11+ and make are enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# With the data mirror next to the checkout the tests do more; without it they still pass.
ifneq ($(wildcard ../shared/data),)
export SEQWISE_DATA ?= $(abspath ../shared/data)
endif

.DEFAULT_GOAL := help
.PHONY: help install demo test test-browser check format bench docs clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(STAMP)  ## make .venv and install seqwise with its development tools

$(STAMP): pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable '.[demo,imbalance,music,onnx,search,serve,text,translation,tune]'
	@touch $@

demo: $(STAMP)  ## train on first names, show the report's figures (about a minute)
	$(BIN)/seqwise demo

test: $(STAMP)  ## run the tests
	$(BIN)/python -m pytest -q -n logical --maxprocesses 8 --dist loadfile

# Chromium comes from the system: playwright's own download is not used. SEQWISE_CHROMIUM names another.
test-browser: $(STAMP)  ## run the tests of the web page in Chromium, installed first where it is missing
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group browser
	@if [ -z "$$SEQWISE_CHROMIUM" ] && ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -qq -y chromium; \
		else echo "Chromium is needed: sudo apt-get install chromium, or SEQWISE_CHROMIUM=/path/to/it"; exit 1; fi; \
	fi
	$(BIN)/python -m pytest -q tests/browser

check: $(STAMP)  ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## run the benchmarks
	for file in benchmarks/*.py; do echo "$$file"; $(BIN)/python $$file || exit 1; done

docs: $(STAMP)  ## check every documentation snippet and rebuild generated pages
	$(BIN)/python -c 'import pathlib, seqwise.cells.derivations as d; d.write_pages(pathlib.Path("docs/derivations"))'
	$(BIN)/python docs/lectures/figures.py
	$(BIN)/python -m pytest -q tests/test_documentation.py tests/test_lectures.py

clean:  ## remove the environment and caches
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
