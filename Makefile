# Netplane. `make demo` shows it, `make test` proves it; both do all their own set-up.
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

.PHONY: help setup demo test e2e apiserver attacks image lint format bench lock clean test-setup

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(VENV)/.ready build/netplane ## Make .venv (the project installed) and build/netplane (the shim)

$(VENV)/.ready: pyproject.toml requirements-dev.lock scripts/system-packages
	@scripts/system-packages run
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"setup: cannot use Python {v.major}.{v.minor}: Netplane needs 3.11 or newer; set PYTHON=")'
	@echo "setup: making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The compiler comes with the Debian packages, so those go first.
build/netplane: | $(VENV)/.ready
include cni/shim/build.mk

demo: setup ## Pods get their planes, for real, on this machine, without Kubernetes
	@$(BIN)/netplane demo

test-setup: setup
	@scripts/system-packages test

test: test-setup ## All tests; what cannot run here is skipped with its reason
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

ARCH ?= $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
image: setup ## The container image, without a registry: build/image/netplane-$(ARCH).tar
	@scripts/image $(ARCH)

e2e: setup ## Everything on real two-node clusters on this machine (root; builds Kubernetes at first)
	@scripts/e2e $(PYTEST_ARGS)

apiserver: setup ## What takes a real kube-apiserver, but no node
	@if [ -n "$$E2E_BIN" ]; then scripts/system-packages cluster; else scripts/cluster-binaries; fi
	@$(BIN)/python -m pytest tests/cluster tests/attacks/apiserver --ignore=tests/cluster/e2e $(PYTEST_ARGS)

attacks: test-setup ## Attacks, measured: what each costs everybody else; writes build/attacks.json
	@$(BIN)/python -m tests.attacks --output build/attacks.json $(ATTACKS)

lint: setup ## Style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Rewrite the sources in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup ## Ratios against real peers, in one run; writes build/bench.json
	@$(BIN)/python -m tests.bench --output build/bench.json $(BENCH_ARGS)

lock: ## Write the requirement locks anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements-dev.lock

clean: ## Remove what the targets made
	rm -rf build $(VENV)
