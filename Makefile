# `make help` lists what can be done here. Nothing needs to be prepared: each target sets up what it misses.

SHELL := /bin/bash
VENV := .venv
PYTHON ?= python3
RESULTS ?= results
# Further options of robot, for example: make run ROBOT_ARGS='-i reboot -v FIO_RUNTIME:60s'
ROBOT_ARGS ?=
# The vhost that `make contract` tries: embedded, or spdk with the path of SPDK's vhost program.
VHOST ?= embedded
SPDK_VHOST ?=
ifdef TARGET
$(warning TARGET is deprecated and will be removed: use VHOST=$(TARGET))
VHOST := $(TARGET)
endif
CONTRACT_OPTIONS := --vhost $(VHOST) --spdk-vhost '$(SPDK_VHOST)'
# Some of the faults of docs/faults.md, for `make faults`; all without.
FAULTS ?=
ROBOT_SOURCES := suites resources tests/acceptance

.DEFAULT_GOAL := help
.PHONY: help run test unit contract guest-contract acceptance lint docs trends faults bench dist constraints clean \
	setup host image force

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s%s\n", $$1, $$2 }' Makefile

run: setup ## set up what is missing and run the whole plan; report in results/
	@$(VENV)/bin/robot --prerebotmodifier ReportLibrary.movable_log.MovableLog --outputdir $(RESULTS) \
		$(ROBOT_ARGS) suites/

test: setup lint unit contract guest-contract acceptance ## set up what is missing and run the project's own tests
	@echo "All of it was tried on the embedded vhost; the SPDK part was skipped. To run it, with an SPDK build at hand:"
	@echo "    make contract VHOST=spdk SPDK_VHOST=/path/to/vhost"

unit: $(VENV)/ready ## run the fast tests: no QEMU, no root
	@$(VENV)/bin/pytest -n 4 --dist worksteal tests/unit

contract: $(VENV)/ready ## compare vhost's RPC with SPDK's; VHOST=spdk SPDK_VHOST=... tries SPDK itself, with guests
	@$(VENV)/bin/pytest tests/contract --ignore tests/contract/guest $(CONTRACT_OPTIONS)
ifeq ($(VHOST),spdk)
contract: guest-contract
endif

guest-contract: setup ## compare what a real guest sees of vhost with what it sees of SPDK
	@$(VENV)/bin/pytest tests/contract/guest $(CONTRACT_OPTIONS)

acceptance: setup ## run the plan with short fio and the kit's failure cases, on real guests
	@$(VENV)/bin/pytest tests/acceptance

lint: $(VENV)/ready ## check style and types: ruff, mypy, robocop
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/robocop check $(ROBOT_SOURCES)

docs: $(VENV)/ready ## write the documentation with all keywords to site/index.html
	@$(VENV)/bin/mkdocs build --quiet --clean
	@mkdir -p site/keywords
	@for library in VhostLibrary QemuLibrary FioLibrary ReportLibrary PreflightLibrary; do \
		$(VENV)/bin/libdoc --quiet $$library site/keywords/$$library.html || exit 1; done
	@for resource in resources/*.resource; do \
		$(VENV)/bin/libdoc --quiet $$resource site/keywords/$$(basename $$resource .resource).html || exit 1; done
	@echo site/index.html

trends: $(VENV)/ready ## draw the figures of the runs so far to results/trends.html
	@$(VENV)/bin/python -m hotplug_kit.report.trends $(RESULTS)/history.jsonl $(RESULTS)/trends.html

faults: setup ## plant every fault of docs/faults.md and prove that the right check names it; FAULTS='name ...' for some
	@$(VENV)/bin/python -m tests.faults $(FAULTS)

bench: setup ## measure speed and size against their limits; SPDK_VHOST=... adds the lines against SPDK
	@$(VENV)/bin/python -m benchmarks --spdk-vhost '$(SPDK_VHOST)'

dist: setup ## build the wheel and the source archive in dist/, and try the wheel in an environment of its own
	@rm -rf dist
	@$(VENV)/bin/python -m build --outdir dist .
	@KIT_WHEEL=$$(echo dist/*.whl) $(VENV)/bin/pytest tests/acceptance/test_wheel.py
	@ls dist/*

constraints: ## renew constraints.txt, the versions that the set-up installs; PYTHON=... must be the oldest supported
	@scripts/renew-constraints $(PYTHON)

clean: ## remove results, caches and the virtual environment (the guest image stays cached)
	@if [ -d $(RESULTS) ]; then find $(RESULTS) -mindepth 1 ! -name .gitkeep -delete; fi
	@rm -rf $(VENV) site dist .pytest_cache .mypy_cache .ruff_cache .robocop_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: host $(VENV)/ready image

host:
	@scripts/install-host-packages

image: $(VENV)/ready
	@$(VENV)/bin/python -m guest_image > /dev/null

$(VENV)/ready: pyproject.toml constraints.txt scripts/prepare-venv scripts/extend-activate
	@scripts/prepare-venv $(PYTHON) $(VENV)

# The file names the folder that the environment was made for: one that came with a copy runs the original's programs.
ifneq ($(file < $(VENV)/ready),$(CURDIR))
$(VENV)/ready: force
endif
