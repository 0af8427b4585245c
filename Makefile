# bankops.fleet: every target does all of its own set-up; a second run reuses it.
SHELL := bash
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# ansible-core insists on a UTF-8 locale, which a bare CI machine may not set.
export LC_ALL := C.UTF-8
export PYTHONDONTWRITEBYTECODE := 1

environment := tests/tools/environment
lanes := .venv/bin/python tests/tools/lanes.py

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv venv-2.18 lab-packages service-packages
venv:
	@$(environment) .venv requirements.txt requirements-dev.txt
venv-2.18:
	@$(environment) .venv-2.18 requirements.txt tests/tools/requirements-2.18.txt
lab-packages:
	@lab/setup
service-packages:
	@lab/setup tests/services/packages.txt

.PHONY: demo
demo: venv lab-packages ## Patch the lab's fleet with real security updates, from plan to report
	@lab/demo

.PHONY: test
test: venv venv-2.18 service-packages ## Run every lane below but bench and test-long
	@$(lanes) --all

.PHONY: lint unit docs sanity importer
lint: venv ## ruff, mypy, vermin, yamllint, ansible-lint
	@$(lanes) lint
unit: venv ## Unit and property tests on the main ansible-core
	@$(lanes) unit
sanity: venv ## ansible-test sanity, without containers
	@$(lanes) sanity
docs: venv ## Check and render the documentation of plugins and roles, check the changelog
	@$(lanes) docs
importer: venv ## Build the artifact and pass it through galaxy-importer
	@$(lanes) importer

.PHONY: unit-2.18
unit-2.18: venv venv-2.18 ## Unit tests and syntax of the playbooks on ansible-core 2.18
	@$(lanes) unit-2.18

.PHONY: services
services: venv service-packages ## Tests against a real database, mail server, object store and browser
	@$(lanes) services

.PHONY: integration molecule
integration: venv lab-packages ## Tests against the hosts of the lab
	@$(lanes) integration
molecule: venv lab-packages ## Scenarios of the roles; SCENARIO=name for one
	@$(lanes) molecule

.PHONY: bench test-long
bench: venv service-packages ## Benchmarks; BENCH=name for one
	@$(lanes) bench
test-long: venv lab-packages ## Tests that take minutes each
	@$(lanes) long

.PHONY: lab
lab: venv lab-packages ## Start the lab and leave it running, CLOUDS=1 with clouds around it; lab/fleet --help says more
	@lab/fleet up $(if $(CLOUDS),--clouds)

.PHONY: build
build: venv ## Build the collection's artifact
	@.venv/bin/ansible-galaxy collection build --force --output-path .cache/artifact

.PHONY: clean
clean: ## Stop this checkout's labs, remove environments, caches and results
	@for lab in .lab/*/; do [ ! -d "$$lab" ] || lab/fleet down --name "$$(basename "$$lab")"; done
	@rm -rf .venv .venv-2.18 .venv-azure .cache .ansible .lab .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/output
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
