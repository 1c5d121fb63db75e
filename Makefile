# Every target sets up what it needs; a second call is fast. `make` alone lists the targets.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
SPARK := $(VENV)/.spark
SYSTEM_PACKAGES := bird nftables iproute2 chromium default-jre-headless prometheus systemd
export UV_LINK_MODE ?= copy

.DEFAULT_GOAL := help
.PHONY: help setup demo test browser score lint format bench chaos docs audit lab lock system clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: $(READY) ## make the environment in .venv (every other target does it too)

$(READY): pyproject.toml hatch_build.py $(wildcard pipeline/native/*.[ch]) requirements.lock Makefile
	@test -n "$(PYTHON)" || { echo "peerscope needs Python 3.11 or newer with venv and pip (Debian: apt install python3-venv)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@# where Python may not write bytecode itself, each process would compile all of it anew: a second or more
	@$(BIN)/python -m compileall -q pipeline jobs app || true
	@touch $(READY)

$(SPARK): $(READY) requirements-spark.lock
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --no-deps --requirement requirements-spark.lock \
		&& touch $(SPARK) || echo "could not install pyspark; the tests of the Spark engine will be skipped"

demo: $(READY) ## run the whole pipeline over sample_logs/ and print the report
	$(BIN)/peerscope demo

test: $(READY) $(SPARK) system ## run the test suite; the browser tests come last and have the machine to themselves
	@failed=0; \
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not browser" || failed=1; \
	$(BIN)/python -m pytest -n 0 -m browser tests/app || failed=1; \
	exit $$failed

browser: $(READY) system ## only the tests that drive the app in headless Chromium
	$(BIN)/python -m pytest -n 0 -m browser tests/app

lint: $(READY) ## ruff and the strict type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## let ruff format the code and fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

score: $(READY) ## measure the grammar against labelled cases: make score CASES=DIR
	@test -n "$(CASES)" || { echo "give the folder of the cases: make score CASES=DIR"; exit 2; }
	$(BIN)/python -m tests.score $(CASES) --misses

bench: $(READY) ## measure: MB/s, lines/s and memory, against drain3 and DuckDB in the same run
	$(BIN)/python -m tests.bench

chaos: $(READY) ## kill, fill, corrupt and rotate, then compare with the undisturbed run (minutes)
	$(BIN)/python -m tests.chaos --faults 200 --seed 1

docs: $(READY) ## build the documentation site into dist/site
	$(BIN)/python -m mkdocs build --strict --quiet

audit: $(READY) ## licences, SBOM and known vulnerabilities of the dependencies
	$(BIN)/python -m jobs.supply

lab: $(READY) system ## record sample_logs/ anew with real BIRD daemons (root; about 11 minutes)
	$(BIN)/python -m sample_logs.lab run --all --jobs 4

lock: $(READY) ## resolve the dependencies anew into requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --extra app --extra remote --group dev --output-file requirements.lock pyproject.toml
	echo "pyspark[connect]>=4.1" | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --constraint requirements.lock --output-file requirements-spark.lock -

system: ## install the system packages that some tests need, when this may (root and apt)
	@missing=; for p in bird nft ip chromium java promtool systemd-analyze; do command -v $$p >/dev/null || missing=1; done; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $(SYSTEM_PACKAGES) for the lab, browser, Spark and deployment tests"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SYSTEM_PACKAGES); } >/dev/null 2>&1 \
		|| echo "could not install $(SYSTEM_PACKAGES); the tests that need them will be skipped"; \
		for s in bird bird6 prometheus; do systemctl disable --quiet --now $$s >/dev/null 2>&1 || true; done; \
	else echo "not root or no apt: the tests that need $(SYSTEM_PACKAGES) will be skipped"; fi

clean: ## remove the environment and caches (never a warehouse)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
