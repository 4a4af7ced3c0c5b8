# `make` or `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SWIFT_SOURCES := Package.swift Sources Tests Benchmarks Fuzz/Package.swift Fuzz/Sources
# Files that are only sourced are checked where they are.
SHELL_SCRIPTS := .ci/run $(shell find scripts demo clients -name '*.sh' -perm -u+x)
GENERATED := Sources/CJobBrokerProto
PREFIX ?= /usr/local
# Swift Testing starts all of them at once otherwise, hundreds of servers among them.
TESTS_AT_ONCE ?= 16

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install the system libraries the build needs, if any is missing
	@scripts/setup.sh build

.PHONY: build
build: setup ## Build everything for debugging
	swift build

.PHONY: release
release: setup ## Build jobbrokerd and jobctl, optimised and with Swift's library in them
	swift build --configuration release --static-swift-stdlib --product jobbrokerd
	swift build --configuration release --static-swift-stdlib --product jobctl

.PHONY: install
install: release ## Install programs, systemd units and completions (PREFIX=/usr/local, DESTDIR=)
	@scripts/install.sh "$$(swift build --configuration release --show-bin-path)" "$(PREFIX)" "$(DESTDIR)"

.PHONY: test
test: ## Build and run all tests
	@scripts/setup.sh test
	@scripts/sqld.sh >/dev/null
	swift build --build-tests
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TESTS_AT_ONCE) swift test --skip-build --disable-xctest
	@$(MAKE) --no-print-directory test-clients

.PHONY: test-clients
test-clients: ## Test the C, Python and TypeScript clients, and that all four do the same
	@scripts/setup.sh test
	@for product in jobbrokerd jobctl ConformanceAdapter; do swift build --quiet --product $$product; done
	@bin=$$(swift build --show-bin-path); JOBBROKERD=$$bin/jobbrokerd JOBCTL=$$bin/jobctl clients/test.py

.PHONY: trust
trust: ## Put every promise to the test at full size, in an hour and a half (TRUST_SIZE=short to try it)
	@scripts/trust.sh

.PHONY: fuzz
fuzz: ## Feed the decoders and a whole broker what libFuzzer makes of the vectors (FUZZ_RUNS=100000)
	@scripts/fuzz.sh $${FUZZ_RUNS:-100000}

.PHONY: sanitize
sanitize: ## Run the Swift tests under ThreadSanitizer, then under AddressSanitizer (needs an hour)
	@scripts/sanitize.sh

.PHONY: demo
demo: ## Prepare real sound files through a real broker that gets killed (under a minute after the build)
	@scripts/setup.sh demo
	@$(MAKE) --no-print-directory release
	@demo/run.sh "$$(swift build --configuration release --show-bin-path)"

.PHONY: bench
bench: release ## Measure lifecycles per second at 2, 16 and 64 clients
	@scripts/bench.sh "$$(swift build --configuration release --show-bin-path)"

.PHONY: bench-peers
bench-peers: ## Measure side by side with beanstalkd, Redis, PostgreSQL and the original design
	@scripts/bench-peers.sh

.PHONY: bench-libsql
bench-libsql: release ## Measure with the jobs in a libSQL database, near and 20 ms away
	@scripts/bench-libsql.sh "$$(swift build --configuration release --show-bin-path)"

.PHONY: format
format: ## Format the Swift sources
	swift format --in-place --recursive --parallel $(SWIFT_SOURCES)

.PHONY: lint
lint: ## Check format, style and shell scripts
	swift format lint --strict --recursive --parallel $(SWIFT_SOURCES)
	@! grep -rl --include='*.swift' '^import XCTest' Tests || { echo 'lint: use Swift Testing: make test does not run XCTest' >&2; exit 1; }
	@if command -v shellcheck >/dev/null; then shellcheck --external-sources --check-sourced $(SHELL_SCRIPTS); \
	else echo 'lint: no shellcheck here, shell scripts not checked' >&2; fi

.PHONY: proto
proto: ## Regenerate the C, Python and TypeScript code and the vectors from proto/jobbroker.proto
	@scripts/setup.sh test
	scripts/generate-proto.sh $(GENERATED)
	clients/python/scripts/generate_proto.sh
	node clients/typescript/scripts/generate-schema.mjs
	proto/vectors/make.py

.PHONY: proto-check
proto-check: ## Fail if generated code or the vectors are not current
	@scripts/setup.sh test
	@scripts/check-proto.sh $(GENERATED)
	@clients/python/scripts/generate_proto.sh --check
	@node clients/typescript/scripts/generate-schema.mjs --check
	@proto/vectors/make.py --check

.PHONY: clean
clean: ## Remove what was built
	swift package clean
