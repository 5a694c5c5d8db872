# Every target builds what it needs; Python 3.11 or newer with venv is all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo setup test test-browser lint docs docs-serve docs-terminal dist bench soak clean

demo: $(VENV)/.demo
	$(BIN)/nanobanana demo

# All that it takes to work on it: the environment, and the checks before each commit.
setup: $(VENV)/.dev
	$(BIN)/pre-commit install

test: lint
	$(BIN)/python -m pytest -n 4 --dist worksteal

# Pages in a headless Chromium (Debian: apt-get install chromium chromium-driver).
test-browser: $(VENV)/.dev docs
	$(BIN)/python -m pytest tests/browser

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Into build/site. Warnings are errors, and so is a link that leads nowhere or a page that would load
# something from elsewhere; addresses of others are listed in build/external-links.txt.
docs: $(VENV)/.dev
	rm -rf build/site
	$(BIN)/python -m sphinx --quiet --fresh-env --fail-on-warning --keep-going \
		--doctree-dir build/doctrees docs build/site

docs-serve: docs
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8000

# The pictures of the terminal, from real runs in tmux; two minutes on a machine that is quiet.
docs-terminal: $(VENV)/.dev
	$(BIN)/python docs/terminal/capture.py $(ONLY)

# The wheel, built from the sdist, and the sdist, in dist/; then both are looked at and tried as a
# stranger would: in environments of their own, without the source tree.
dist: $(VENV)/.dist
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python -m pytest tests/packaging --timeout 600

# Half an hour on two cores; fails where a promise is missed. `python -m benchmarks --quick`: seconds.
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks --write docs
	$(BIN)/python -m benchmarks.overhead --write docs/cost.md
	$(BIN)/python -m benchmarks.bulk --write docs/cost-of-bulk.md
	$(BIN)/python -m benchmarks.webhooks --write docs/cost-of-webhooks.md

# Hours: a thousand storms, a long property-based test, a long stream, bulk runs of 100,000 rows and
# of 10,000 in a storm. SEEDS=20 makes it minutes.
SEEDS ?= 1000
soak: $(VENV)/.dev
	NANOBANANA_SOAK=5000 $(BIN)/python -m pytest tests/test_storms.py tests/test_limits_change.py \
		tests/test_memory.py tests/test_invariants.py tests/test_webhook_orders.py --timeout 0
	$(BIN)/python -m tests.bulk.volume --rows 100000
	$(BIN)/python -m tests.bulk.volume --rows 10000 --faults 0.005
	$(BIN)/python -m tests.soak --seeds $(SEEDS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --editable '.[cli,emulator]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --editable '.[cli,emulator]' --group dev
	touch $@

$(VENV)/.dist: $(VENV)/.dev
	$(BIN)/pip install --quiet --group dist
	touch $@
