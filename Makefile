# `make` prints the commands. Every target may be called again at any time: what is up to date is left alone.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

RUN_DIR ?= .run
PORT_BASE ?= 19090
export RUN_DIR PORT_BASE

STAMPS := .cache/stamps
SERVING := .venv/serving/bin/python
JOBS := .venv/jobs/bin/python
UV_VERSION := 0.13.8
UV := $(or $(shell command -v uv),.cache/uv/bin/uv)

##@ Setting up

.PHONY: help
help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: toolchain env lock jars proto
toolchain: $(STAMPS)/toolchain ## Check Java 17, Maven, redis-server; install them with apt where that is possible
env: $(STAMPS)/env-jobs $(STAMPS)/env-serving ## Make the two locked Python environments, .venv/jobs and .venv/serving

$(STAMPS)/toolchain: local/toolchain.sh
	@mkdir -p $(@D)
	@local/toolchain.sh
	@touch $@

.cache/uv/bin/uv: | $(STAMPS)/toolchain
	@echo "env: installing uv $(UV_VERSION) into .cache/uv"
	@python3 -m venv .cache/uv
	@.cache/uv/bin/pip install -q "uv==$(UV_VERSION)"

$(STAMPS)/env-%: requirements/%.lock | $(STAMPS)/toolchain $(UV)
	@echo "env: .venv/$* from $<"
	@[ -x .venv/$*/bin/python ] || $(UV) venv -q --python 3.11 .venv/$*
	@$(UV) pip sync -q --python .venv/$*/bin/python --require-hashes $<
	@mkdir -p $(@D)
	@touch $@

# The indexes and link folders of the machine that locks stay out of the lock files.
lock: | $(UV) ## Write requirements/*.lock anew from requirements/*.in
	@for name in jobs serving; do \
		env -u UV_FIND_LINKS -u PIP_FIND_LINKS $(UV) pip compile -q --no-config --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
			requirements/$$name.in -o requirements/$$name.lock; \
		echo "lock: requirements/$$name.lock"; \
	done
