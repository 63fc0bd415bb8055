# Two commands on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TUI := $(BIN)/synergy-tui

.PHONY: demo test fuzz faults pictures lint lock clean

demo: $(VENV)/installed
	@$(TUI) show --sample
	@echo
	@$(TUI) run smollm2 --tasks cognitive --prompts 18 --steps 64
	@if [ -t 0 ] && [ -t 1 ]; then $(TUI) explore --latest; fi

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

# The long form of what the tests do for a moment: keys, clicks and resizes at random over every view.
fuzz: $(VENV)/installed
	FUZZ=2000 $(BIN)/python -m pytest tests/test_explorer_bad_input.py -k random

# The long form: 200 kills of workers, commands and explorers, full disks, stopped processes, jumping clocks.
faults: $(VENV)/installed
	$(BIN)/python tests/faults.py --trials 200
	$(BIN)/python tests/faults.py --trials 10 --subject smollm2

pictures: $(VENV)/installed
	$(BIN)/python -m synergy_tui.bench.screenshots data/screenshots

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
