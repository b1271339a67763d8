# Each target makes .venv itself when it is missing or older than what describes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
PEERS := .peers/peers.txt
WORKERS ?= 2

.PHONY: demo test check bench docs clean

demo: $(STAMP)  ## two-stage recommendation on a real year of purchases, judged against baselines
	$(BIN)/shortlist demo

test: check $(PEERS)  ## the linters, then every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: $(STAMP)  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) $(PEERS)  ## every claim measured again: benchmarks/results/*.json
	for claim in benchmarks/[a-z]*.py; do $(BIN)/python $$claim || exit 1; done
	$(MAKE) docs

docs: $(STAMP) $(PEERS)  ## docs/results.md, docs/metrics.md, and the JSON Schema of shortlist.toml
	$(BIN)/python benchmarks/_render.py
	$(BIN)/python benchmarks/_metrics_page.py
	$(BIN)/shortlist schema > docs/shortlist.schema.json

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Shortlist needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

$(PEERS): benchmarks/peers.txt | $(STAMP)  ## the libraries that Shortlist is measured against, in an environment of their own
	$(BIN)/python benchmarks/_peers.py

clean:
	rm -rf $(VENV) .peers
