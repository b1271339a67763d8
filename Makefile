# Each target makes .venv itself when it is missing or older than what describes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
WORKERS ?= 2

.PHONY: demo test check bench docs clean

demo: $(STAMP)  ## two-stage recommendation on a real year of purchases, judged against baselines
	$(BIN)/shortlist demo

test: check  ## the linters, then every test; those that ask other libraries want these in .peers
	$(BIN)/python benchmarks/_peers.py || echo 'tests that ask other libraries are skipped'
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: $(STAMP)  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## every claim measured again: benchmarks/results/*.json
	for claim in benchmarks/[a-z]*.py; do $(BIN)/python $$claim || exit 1; done
	$(MAKE) docs

docs: $(STAMP)  ## docs/results.md, docs/metrics.md, and the JSON Schema of shortlist.toml
	$(BIN)/python benchmarks/_render.py
	$(BIN)/python benchmarks/_metrics_page.py
	$(BIN)/shortlist schema > docs/shortlist.schema.json

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Shortlist needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .peers*
