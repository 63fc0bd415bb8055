# Two commands on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TUI := $(BIN)/synergy-tui

.PHONY: demo check test test-long docs docs-test wheel coverage fuzz faults cluster pictures lint lock clean

# Most tests wait for something most of the time: more of them than there are cores.
SIDE_BY_SIDE := -n 5 --dist worksteal

demo: $(VENV)/installed
	@$(TUI) show --sample
	@echo
	@$(TUI) run zoo:induction --prompts 24 --steps 60
	@echo
	@$(TUI) run smollm2 --tasks cognitive --prompts 18 --steps 64
	@if [ -t 0 ] && [ -t 1 ]; then $(TUI) explore --latest; fi

# After every step: lint, types, contracts, and every test that starts no process.
check: lint
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not worker and not real and not slow and not long"

test: $(VENV)/installed
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not long"

# What takes minutes and is the thorough form of something that other tests try.
test-long: $(VENV)/installed
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m long

# The documentation, which `synergy-tui docs` opens and wheels ship. A warning is an error.
docs: $(VENV)/installed
	@$(BIN)/python -c "import material" 2>/dev/null || { echo 'make docs needs the docs extra: $(BIN)/python -m pip install ".[docs]"'; exit 1; }
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The blocks of code in README and docs that take long. The others run in `make test`.
docs-test: $(VENV)/installed
	DOCS=long $(BIN)/python -m pytest $(SIDE_BY_SIDE) -o timeout=3600 tests/docs

# A wheel and a source distribution that hold the documentation.
wheel: docs
	$(BIN)/python -m build --outdir dist .

# By room. What runs in workers is counted too.
coverage: $(VENV)/installed
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --cov --cov-report=
	$(BIN)/python tests/coverage_by_room.py

# The long form of what the tests do for a moment: 20,000 keys, clicks and resizes at random over every view and dialog.
fuzz: $(VENV)/installed
	FUZZ=4000 $(BIN)/python -m pytest $(SIDE_BY_SIDE) -o timeout=1800 tests/explorer/test_session.py -k random

# The long form: 200 kills of workers, commands and explorers, full disks, stopped processes, jumping clocks.
faults: $(VENV)/installed
	$(BIN)/python tests/faults.py --trials 200
	$(BIN)/python tests/faults.py --trials 10 --subject smollm2

# On a real Ray cluster of three nodes, and on a real Slurm of two where slurm-wlm and munge are installed and one is root.
cluster: $(VENV)/installed
	$(BIN)/python tests/cluster.py

pictures: $(VENV)/installed
	$(BIN)/python -m synergy_tui.bench.screenshots data/screenshots
	$(BIN)/python -m synergy_tui.bench.recording data/screenshots/first-minute.cast

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The lock pins exact versions without hashes, because torch's CPU build comes from another place than PyPI on machines
# that have one. Renew it: make lock
$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet "torch==2.13.0" --editable ".[dev]"
	.venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache
