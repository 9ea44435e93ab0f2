# Two commands: `make run` starts Reelseek on this machine, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check lint audit env test-env lock

run: env
	$(BIN)/reelseek up

# One thread a process: torch's spin while they wait for each other, and three processes leave them no core to wait on.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# All that can be said of the code and of what it stands on without running it. Needs a network, for the audit.
check: lint audit

# Security rules among them (ruff's S).
lint: test-env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Known faults of what the lock files name; asks osv.dev. A package that can't be looked up is a failure, too.
audit: test-env
	$(BIN)/pip-audit --strict --no-deps --disable-pip -s osv -r requirements.lock -r requirements-test.lock

env: .venv/ready
test-env: .venv/ready-test

.venv/ready: requirements.lock pyproject.toml model/starter/artifacts.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/python -m model.starter.artifacts
	touch $@

.venv/ready-test: .venv/ready requirements-test.lock
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.lock
	touch $@

# The exact versions, from the ranges in pyproject.toml. A machine's own build of torch is no part of them.
lock:
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet torch==2.13.0
	.venv-lock/bin/pip install --quiet --editable .
	.venv-lock/bin/pip freeze --exclude-editable | sed 's/+cpu$$//' | grep -v '^nvidia-\|^triton' > requirements.lock
	.venv-lock/bin/pip install --quiet --editable '.[test]'
	.venv-lock/bin/pip freeze --exclude-editable | sed 's/+cpu$$//' | grep -v '^nvidia-\|^triton' | grep -vxFf requirements.lock > requirements-test.lock
	rm -rf .venv-lock
