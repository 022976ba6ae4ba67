# Netplane. `make demo` shows it, `make test` tests it; both install what they need first.
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

.PHONY: help setup demo test vm e2e apiserver attacks chaos mutants image lint format bench lock clean test-setup \
  program install uninstall deb

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

COMPLETION := planes/cli/completion/scripts/netplane.bash

setup: $(VENV)/.ready build/netplane $(COMPLETION) ## Make .venv (the project installed) and build/netplane (the shim)

$(VENV)/.ready: pyproject.toml requirements-dev.lock scripts/system-packages
	@scripts/system-packages run
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"setup: cannot use Python {v.major}.{v.minor}: Netplane needs 3.11 or newer; set PYTHON=")'
	@echo "setup: making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Of the table of commands; one of the three files stands for all.
$(COMPLETION): $(VENV)/.ready scripts/completion-scripts $(shell find planes/cli -name '*.py')
	@$(BIN)/python scripts/completion-scripts

# The compiler is one of the Debian packages, so those are installed first.
build/netplane: | $(VENV)/.ready
include cni/shim/build.mk

# What is installed is made of these; scripts/program makes the file last.
build/program/python: $(VENV)/.ready build/netplane $(COMPLETION) scripts/program requirements.lock \
    $(shell find planes certs webhook cni -name '*.py')
	@$(BIN)/python scripts/program

program: setup build/program/python ## Prepare build/program, which `make install` copies

DESTDIR ?=
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
CNIBINDIR ?= /opt/cni/bin
UNITDIR ?= $(PREFIX)/lib/systemd/system
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export SYSCONFDIR := $(SYSCONFDIR)
install uninstall: export CNIBINDIR := $(CNIBINDIR)
install uninstall: export UNITDIR := $(UNITDIR)

install: build/program/python ## Install programs, plugin and units below DESTDIR (PREFIX=/usr/local)
	@scripts/install install

uninstall: ## Remove what `make install` installed, but for settings and state
	@scripts/install uninstall

deb: build/program/python ## Make a Debian package of what `make install` installs: build/deb
	@scripts/deb

demo: setup ## Attach pods to planes on this machine, without Kubernetes
	@$(BIN)/netplane demo

test-setup: setup
	@scripts/system-packages test

test: test-setup ## Run all tests; what cannot run here is skipped with its reason
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

vm: setup ## Test in a second kernel what this one may lack: ipvlan, vlan, dummy, vrf, SR-IOV
	@scripts/vm $(PYTEST_ARGS)

ARCH ?= $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
image: setup ## Build the container image, without a registry: build/image/netplane-$(ARCH).tar
	@scripts/image $(ARCH)

e2e: setup ## Test on real two-node clusters on this machine (root; builds Kubernetes at first)
	@scripts/e2e $(PYTEST_ARGS)

apiserver: setup ## Test what needs a real kube-apiserver, but no node
	@if [ -n "$$E2E_BIN" ]; then scripts/system-packages cluster; else scripts/cluster-binaries; fi
	@if [ -z "$$E2E_BIN" ]; then scripts/kustomize-binaries || echo "apiserver: rendering with older kubectl is not tested"; fi
	@$(BIN)/python -m pytest tests/cluster tests/attacks/apiserver --ignore=tests/cluster/e2e $(PYTEST_ARGS)

attacks: test-setup ## Measure what attacks cost everybody else; writes build/attacks.json
	@$(BIN)/python -m tests.attacks --output build/attacks.json $(ATTACKS)

chaos: setup ## Hand out a million plane addresses under kills and faults: none twice, none lost
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

mutants: setup ## Break the address protocol line by line: tests must fail for each
	@$(BIN)/python -m tests.chaos.mutants $(MUTANTS_ARGS)

lint: setup ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Rewrite the sources in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup ## Measure against real peers, in one run; writes build/bench.json
	@$(BIN)/python -m tests.bench --output build/bench.json $(BENCH_ARGS)

lock: ## Write the requirement locks again (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements-dev.lock

clean: ## Remove what the other targets made
	rm -rf build $(VENV)
