# make run    build the agent and show what a change does, on loopback
# make test   everything that CI runs
# make help   all targets

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# For go test, such as TESTFLAGS=-v.
TESTFLAGS ?=
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LINT := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc || command -v clang),-race)
# Tests of the whole agent, in network namespaces and against other daemons.
WHOLE := ./tests/e2e ./tests/crash ./tests/documents
# What was not tested, for the table at the end of make test.
NOTES := $(CURDIR)/.run/untested
GOTEST = $(GO) test -json $(TESTFLAGS)
REPORT = $(GO) run $(CURDIR)/tests/report $(NOTES)
UNIT = $(shell $(GO) list ./... | grep -vE '/tests/(e2e|crash|bench|documents)$$')
# Debian packages that the tests use.
PACKAGES := bird2 debian-archive-keyring frr gcc gobgpd iproute2 libc6-dev "libyang2-tools|libyang3-tools|libyang-tools" netconfd openssh-client openssl python3-ncclient systemd

.PHONY: help
help: ## show this
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 12

.PHONY: build
build: ## bin/agent
	@[ -e bin/agent ] || echo 'the first build takes some minutes'
	$(GO) build -trimpath -ldflags '-X main.release=$(VERSION)' -o bin/agent ./cmd/agent

.PHONY: run
run: build ## the agent with a BGP peer on loopback, until Ctrl-C
	@exec bin/agent demo

# Also after a failure the table says what was not tested.
.PHONY: test
test: ## everything that CI runs; ends with a table of what was not tested
	@mkdir -p .run; rm -f $(NOTES); failed=0; \
	$(MAKE) setup && $(MAKE) -k check e2e test-frr || failed=1; \
	$(GO) run ./tests/report -table $(NOTES); exit $$failed

SUITE ?= trixie
.PHONY: test-debian
test-debian: ## make test in another release of Debian: SUITE=bookworm, trixie or sid
	tests/test-debian $(SUITE)

.PHONY: check
check: lint vet generated yang unit clients ## all that needs no other daemon

.PHONY: lint
lint: ## format and static checks
	$(LINT) run ./...

.PHONY: fmt
fmt: ## format the sources
	$(LINT) fmt ./...

.PHONY: vet
vet:
	$(GO) vet ./...

.PHONY: generate
generate: ## gen/ from yang/
	$(GO) generate ./...

.PHONY: generated
generated: ## is gen/ what the generator makes of yang/?
	@new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	$(GO) run ./internal/yanggen -yang yang -out "$$new"; \
	diff -ru gen "$$new" || { echo 'gen/ is not what yang/ gives: run make generate and commit the result' >&2; exit 1; }

.PHONY: yang
yang: ## does yanglint accept the modules without a word?
	@if ! command -v yanglint >/dev/null; then \
	  mkdir -p .run; printf 'the YANG modules\tyanglint is missing (Debian package libyang2-tools, libyang3-tools or libyang-tools)\n' | tee -a $(NOTES); \
	  [ "$${CI:-}" != true ]; exit; \
	fi; \
	for m in yang/*.yang yang/ietf/*.yang; do \
	  said=$$(yanglint -p yang -p yang/ietf "$$m" 2>&1) && [ -z "$$said" ] || { echo "yanglint $$m: $$said" >&2; exit 1; }; \
	done

.PHONY: unit
unit: ## the tests of the packages
	@mkdir -p .run; [ -n '$(RACE)' ] || printf 'data races\tno C compiler for the race detector\n' | tee -a $(NOTES)
	$(GOTEST) $(RACE) -shuffle=on -count=1 -timeout 20m $(UNIT) | $(REPORT)

# Clients whose modules the agent must not have, or that need a replacement, which
# a module that is installed must not have. The typed OpenConfig paths take a minute
# or two to build the first time, and 3 GB of memory.
.PHONY: clients
clients: ## the tests of clients in modules of their own
	@mkdir -p .run
	tests/clients/gnmic/prepare
	for m in tests/clients/*/go.mod; do \
	  (cd "$${m%/go.mod}" && $(GO) vet -trimpath ./... && $(GOTEST) -trimpath -count=1 -timeout 30m ./...) | $(REPORT); \
	done

.PHONY: e2e
e2e: ## the tests of the whole agent; they need root
	@mkdir -p .run; [ "$$(id -u)" = 0 ] || echo 'not root: the tests that make network namespaces are skipped (sudo make e2e runs them)'
	$(GOTEST) -p 1 -count=1 -timeout 30m $(WHOLE) | $(REPORT)

# The FRR of another Debian release: trixie is pinned, FRR=sid fetches the newest.
FRR ?= trixie
.PHONY: test-frr
test-frr: ## the tests that drive FRR, with that of another Debian release; they need root
	@if [ "$$(id -u)" != 0 ]; then mkdir -p .run; printf 'FRR $(FRR)\tneeds root to make network namespaces\n' | tee -a $(NOTES); [ "$${CI:-}" != true ]; exit; fi; \
	[ '$(FRR)' = trixie ] || { pins=$$(mktemp); trap 'rm -f "$$pins"' EXIT; echo '$(FRR) frr' >"$$pins"; tests/netlab/unpack-debian "$$pins"; }; \
	tests/netlab/with-frr '$(FRR)' $(GOTEST) -count=1 -timeout 30m ./backend/frr | $(REPORT); \
	tests/netlab/with-frr '$(FRR)' $(GOTEST) -count=1 -timeout 30m -run FRR ./tests/e2e | $(REPORT)

.PHONY: bench
bench: ## measure against the targets; a quarter of an hour, some need root
	$(GO) test ./tests/bench -run '^$$' -bench . -benchtime 300x -timeout 60m $(TESTFLAGS)
	$(GO) test ./engine/commit ./backend/gobgp ./backend/frr ./server/gnmi ./server/netconf -run '^$$' -bench . -timeout 30m $(TESTFLAGS)

.PHONY: soak
soak: ## DAMAGES (5000) damages of the state, and kill -9 under load, at length
	MOORING_DAMAGES=$(or $(DAMAGES),5000) $(GO) test ./engine/datastore -count=1 -run 'TestDamageIsRefusedOrWhole' -v -timeout 0 $(TESTFLAGS)
	$(GO) test ./tests/crash -count=1 -v -timeout 0 $(TESTFLAGS)

.PHONY: fuzz-yanglint
fuzz-yanglint: ## random documents, judged by us and by yanglint, for FUZZTIME (1h)
	MOORING_FUZZ_YANGLINT=$(or $(FUZZTIME),1h) $(GO) test ./engine/schema -count=1 -run TestFuzzAgainstYanglint -v -timeout 0 $(TESTFLAGS)

.PHONY: setup
setup: packages ## install what the tests need, where that is possible
	@if command -v apt-get >/dev/null; then tests/netlab/unpack-debian; fi || \
	  echo 'could not unpack the daemons of other Debian releases: the tests that need them are skipped'

.PHONY: packages
packages:
	@mkdir -p .run; tests/install-packages $(NOTES) $(PACKAGES)

.PHONY: clean
clean: ## remove what make has built
	rm -rf bin .run
