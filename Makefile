# `make demo` and `make test` set up all they need in .venv; a second call starts at once.
# Another Python:  make demo PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

# A stamp says what is installed; a change of these two files installs again.
RUN := .venv/.installed-run
DEV := .venv/.installed-dev
SETUP := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test browser lint docs check format clean

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(RUN) ## Train an anonymizer against a black box and show what it does
	$(BIN)/privacy-mllm demo

test: $(DEV) browser ## Run every test; fail under 95 % coverage of zoopt_mo
	$(BIN)/python -m pytest --cov

# The report page is tested in Chromium. In CI it is installed where it is missing; elsewhere those tests say what they need.
CHROMIUM_COMMAND := apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core
browser:
	@if [ "$$CI" = true ] && ! command -v chromium >/dev/null && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the tests of the report page"; \
		if [ "$$(id -u)" = 0 ]; then $(CHROMIUM_COMMAND); else sudo -n sh -c "$(CHROMIUM_COMMAND)"; fi >/dev/null 2>&1 \
			|| echo "Chromium could not be installed: the tests of the report page will be skipped"; \
	fi

lint: $(DEV) ## Ruff, its formatter, and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(DEV) ## Build docs/_build/html; a warning is an error
	$(BIN)/sphinx-build --quiet --fresh-env --nitpicky --fail-on-warning --keep-going docs docs/_build/html

check: lint test docs ## All of the above but the demo: run it before a commit

format: $(DEV) ## Rewrite the files in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what was built, and .venv; runs/ stays
	rm -rf .venv build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip, not python, marks a finished environment: without python3-venv Debian makes one that lacks it.
$(BIN)/pip:
	$(PYTHON) -m venv .venv

$(RUN): $(SETUP) | $(BIN)/pip
	@echo "Installing into .venv; the first time this downloads PyTorch"
	$(INSTALL) -e ".[privacy,video]"
	@touch $@

$(DEV): $(SETUP) | $(BIN)/pip
	@echo "Installing into .venv; the first time this downloads PyTorch"
	$(INSTALL) -e ".[dev]"
	@touch $(RUN) $@
