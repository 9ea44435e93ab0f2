# Two commands: `make run` starts Reelseek on this machine, `make test` checks and tests it. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
# One thread per process: torch's threads spin while they wait, and four test processes leave them no idle core.
# Bytecode is cached even where the environment forbids it: tests start hundreds of processes.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder
PYTEST_ARGS ?=

.PHONY: help run test test-fast format lint audit check env test-env lock

help:  ## List the commands.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

run: env  ## Start Reelseek on this machine: worker, sample clips, web chat.
	$(BIN)/reelseek up

test: lint  ## Lint, then run all tests. Tests whose server is not installed are skipped.
	$(PYTEST) $(PYTEST_ARGS)

test-fast: test-env  ## Run the unit tests: no server, no browser, no child process.
	$(PYTEST) -m unit $(PYTEST_ARGS)

format: test-env  ## Format the code and sort its imports.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: test-env  ## Check format, style and security rules (ruff), types (mypy) and imports (import-linter).
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A package that osv.dev does not know is a failure, too.
audit: test-env  ## Look for known vulnerabilities of the locked packages. Needs a network.
	$(BIN)/pip-audit --strict --no-deps --disable-pip -s osv -r requirements.lock -r requirements-test.lock

check: lint audit  ## Lint and audit.

env: .venv/ready
test-env: .venv/ready-test

.venv/ready: requirements.lock pyproject.toml model/starter/artifacts.py model/starter/samples.py model/senses/parts.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/python -m model.starter.artifacts
	touch $@

.venv/ready-test: .venv/ready requirements-test.lock
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.lock
	touch $@

# A local build of torch has a suffix, and CUDA's packages depend on the machine: neither belongs in a lock file.
FREEZE := .venv-lock/bin/pip freeze --exclude-editable | sed 's/+cpu$$//' | grep -v '^nvidia-\|^triton'
lock:  ## Resolve the ranges of pyproject.toml into requirements.lock (all extras) and requirements-test.lock.
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet torch==2.13.0
	.venv-lock/bin/pip install --quiet --editable '.[all]'
	$(FREEZE) > requirements.lock
	.venv-lock/bin/pip install --quiet --constraint requirements.lock --editable '.[all,test]'
	$(FREEZE) | grep -vxFf requirements.lock > requirements-test.lock
	rm -rf .venv-lock
