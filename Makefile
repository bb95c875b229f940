# Needs Python >= 3.11 and make, nothing else. Works with GNU make 3.81 (macOS).
# PYTHON=/path/to/python chooses the Python, ARGS="…" goes to the command that is run.

.DEFAULT_GOAL := help
.PHONY: help serve test lint format bench generate constraints clean
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
CODE := logstream plugins tests benchmarks
BUILT_FROM := pyproject.toml constraints.txt

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(VENV)/.installed ## Run LogStream with lifelike logs to look at (ARGS="--port 9000")
	@echo "Starting LogStream; stop it with Ctrl-C ..."
	@exec $(BIN)/logstream serve --demo $(ARGS)

test: lint ## Everything that has to pass: lint, then the tests (ARGS="-k journal")
	@echo "Running the tests ..."
	@$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(VENV)/.installed-dev ## Format, lint, types, layers, spelling
	@echo "Checking format and style (ruff) ..."
	@$(BIN)/ruff format --check --quiet $(CODE)
	@$(BIN)/ruff check --quiet $(CODE)
	@echo "Checking types (mypy) ..."
	@$(BIN)/python -m mypy --no-error-summary
	@echo "Checking layers (import-linter) ..."
	@$(BIN)/lint-imports --no-logo >$(VENV)/lint-imports.txt || { cat $(VENV)/lint-imports.txt; exit 1; }
	@echo "Checking spelling (typos) ..."
	@$(BIN)/typos

format: $(VENV)/.installed-dev ## Format the code and repair what can be repaired
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

bench: $(VENV)/.installed-dev ## Measure ingest and requests; takes a few minutes
	@echo "Measuring ingest ..."
	@$(BIN)/python benchmarks/ingest.py
	@echo "Measuring requests ..."
	@$(BIN)/python benchmarks/requests.py

generate: $(VENV)/.installed-dev ## Renew what is generated from the config declaration
	@$(BIN)/python -m logstream.config.example
	@echo "Wrote config.yaml.example and docs/config.md."

constraints: $(VENV)/.installed-dev ## Renew the pinned versions in constraints.txt
	@echo "Resolving the newest versions that pyproject.toml allows ..."
	@$(BIN)/python -m piptools compile --quiet --upgrade --strip-extras --extra dev \
	    --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	    --no-emit-trusted-host --no-emit-options \
	    --output-file $(VENV)/resolved.txt pyproject.toml
	@{ echo '# The versions that are tested together. Written by `make constraints`.'; \
	   grep '^[a-z]' $(VENV)/resolved.txt; } >constraints.txt

clean: ## Remove the environment, caches and builds; data folders stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	    .import_linter_cache .coverage
	find logstream plugins tests benchmarks -name __pycache__ -exec rm -rf {} +

# Stamps: each stands for a finished step, so that the second time does nothing.

$(VENV)/.made:
	@scripts/make_venv $(VENV) $(PYTHON)
	@touch $@

$(VENV)/.installed: $(VENV)/.made $(BUILT_FROM)
	@echo "Installing LogStream into $(VENV); the first time takes a minute ..."
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made $(BUILT_FROM)
	@echo "Installing LogStream and its tools into $(VENV); the first time takes a minute ..."
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.installed $@
