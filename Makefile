# make demo: set up and run the main job.  make test: set up and check everything.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check

demo: .venv/installed
	$(BIN)/python main.py demo

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"
	$(BIN)/python scripts/test_on_other_processors.py --short

test-all: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

# The short set of benchmarks, one after the other: about 15 minutes on two cores. JSON in bench/.
# data_path needs: .venv/bin/python -m pip install -e '.[bench]'
BENCHES := start scoring training cached_epoch segments
BENCHES += $(if $(wildcard .venv/lib/python3*/site-packages/librosa),data_path)
bench: .venv/installed
	for name in $(BENCHES); do $(BIN)/python scripts/bench/$$name.py --json bench/$$name.json || exit; done

# The documentation, in site/.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

setup: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.txt
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) -e '.[dev]'
	touch $@

.venv/installed-docs: .venv/installed
	$(PIP) -e '.[docs]'
	touch $@

# Trained detectors and scores (runs, scores, studies) stay; delete them by hand.
clean:
	rm -rf .venv demo bench build dist site

.PHONY: demo test test-all bench docs setup clean
