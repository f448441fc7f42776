# All targets need Go and make, and most need git. The tools come from the go.mod
# files under tools/. The programs that the tests run come from Debian: see
# test/debian/install.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: attack attack-short help build run demo test lint generate checkgenerate fuzz e2e soak bench lab \
	times languages mutants clean packages unit gotest lab-short bench-short release-schema

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# The linker sets the version. Go need not ask git for it too: that fails, for
# instance, in another user's checkout.
export GOFLAGS := $(strip $(filter-out -buildvcs%,$(shell go env GOFLAGS)) -buildvcs=false)

# Only the race detector needs cgo. All else is compiled without it, so that each
# package is compiled once for all of make test.
GO          := CGO_ENABLED=0 go
BUF         := $(GO) tool -modfile=tools/buf/go.mod buf
# With fewer garbage collections staticcheck takes a quarter less processor time.
STATICCHECK := GOGC=400 $(GO) tool -modfile=tools/lint/go.mod staticcheck
PROBE       := $(GO) tool -modfile=tools/probe/go.mod -n grpc-health-probe

# The schemas of the last release.
RELEASED := proto/released.binpb

# The build tags of the tests that need other programs or much time, for the
# checks that read all code.
ALLTAGS := -tags=e2e,lab

# FUZZTIME is how long each fuzz target runs, or how often (1000x). make test uses
# a count, because with a duration Go's fuzzer sometimes reports its own deadline
# as a failure of the target. It does not make inputs smaller that reach new code:
# that would take most of the time.
FUZZTIME  ?= 30s
FUZZJOBS  ?= 1
FUZZFLAGS ?=
QUICKFUZZ := 20000x

# REPEATS is how many hangs and deaths the lab measures where milliseconds count.
# CROWD is how many connections it has open at a drain.
REPEATS  ?= 11
CROWD    ?= 1000

# What a test run had to leave out, one item a line.
LEFT_OUT := bin/left-out

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

# Without cgo the programs are static: they run on any Linux of the same
# architecture, and start faster, which matters for landmark-check.
build: ## Build every program into bin/
	@mkdir -p bin
	$(GO) build -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/... ./examples/...
	@if command -v $(CC) >/dev/null; then set -x; \
	$(CC) -std=c99 -O2 -Wall -Wextra -DVERSION='"$(VERSION)"' -o bin/epgd-c examples/epgd-c/*.c; \
	else echo 'bin/epgd-c: left out, because there is no C compiler'; fi

run: build ## Run landmarkd with the EPG server until Ctrl-C; EPGD=c or python: the one in that
	@examples/epgd/run.sh

demo: build ## Show an EPG server serving, hung, freed and killed; EPGD=c or python: the one in that
	@GRPC_HEALTH_PROBE="$$($(PROBE))" examples/epgd/demo.sh

# The targets of make test, in this order.
PARTS := lint unit e2e quick-fuzz attack-short lab-short bench-short

test: packages ## Run every check and test that needs no quiet machine
	@for part in $(PARTS); do \
		began=$$(date +%s); \
		$(MAKE) --no-print-directory $$part || exit; \
		echo "make $$part: passed in $$(($$(date +%s) - began)) s"; \
	done
	@if [ -s $(LEFT_OUT) ]; then echo 'Passed, but left out:'; cat $(LEFT_OUT); \
	else echo 'Passed; nothing was left out.'; fi

# Installs the missing packages if it may, and lists the others as left out.
packages:
	@mkdir -p bin
	@test/debian/install >$(LEFT_OUT); status=$$?; cat $(LEFT_OUT); exit $$status

# It is built, because go run turns every exit status into 1.
gotest:
	@mkdir -p bin
	@$(GO) build -o bin/gotest ./test/gotest

# The race detector needs cgo, and cgo a C compiler. go vet is lint's. Some packages
# mostly wait, so others are tested meanwhile.
unit: gotest
	@race=-race; \
	if [ "$$(go env CGO_ENABLED)" != 1 ]; then \
		race=; echo 'the race detector: there is no C compiler' >>$(LEFT_OUT); \
	fi; \
	bin/gotest $(LEFT_OUT) -p=4 -vet=off $$race ./...

lint: checkgenerate ## Check format, vet, staticcheck and the schemas
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then \
		echo "not gofmt'ed:" $$unformatted >&2; exit 1; fi
	$(GO) vet $(ALLTAGS) ./...
	GOOS=darwin go build ./cmd/landmark ./cmd/landmark-check ./cmd/landmark-watch
	$(GO) vet -C tools/compat ./...
	$(STATICCHECK) $(ALLTAGS) ./...
	$(BUF) lint
	$(BUF) format --diff --exit-code
	$(BUF) breaking --against $(RELEASED)

# Agents and sidecars of different versions meet, so a schema must stay compatible
# with the released one.
release-schema: ## Record the present schemas as released, to compare later ones
	$(BUF) build -o $(RELEASED)

# The doc.go of each package is written by hand: the generator writes no comment of
# packages.
generate: ## Generate proto/gen from the schemas
	find proto/gen -name '*.pb.go' -delete
	$(BUF) generate

checkgenerate: ## Fail if proto/gen does not match the schemas
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	$(BUF) generate --output "$$fresh" && \
	if ! diff -r --exclude=doc.go "$$fresh/proto/gen" proto/gen; then \
		echo 'proto/gen is stale: run make generate' >&2; exit 1; fi

# Each line of the list is a package and its targets, which one binary has: to link one
# takes longer than to fuzz briefly. FUZZJOBS packages are fuzzed at the same time: while
# one is linked, which takes one core, another uses the others. The inputs that reach new
# code are kept where go test keeps them.
fuzz: ## Fuzz every target for FUZZTIME each
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && \
	kept=$$(go env GOCACHE)/fuzz/$$(go list -m) && export work kept && \
	grep -rEo '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort | \
	sed -E 's|^\./(.*)/[^/]*:func (.*)|\1 \2|' | \
	awk '$$1 != package { printf "%s%s", end, package = $$1; end = "\n" } { printf " %s", $$2 } END { print "" }' | \
	xargs -P $(FUZZJOBS) -L 1 sh -c 'package=$$0 binary=$$work/$$(echo "$$0" | tr / -); \
		$(GO) test -vet=off -c -fuzz=. -o "$$binary" "./$$package" && cd "$$package" || exit 255; \
		for target do \
			echo "$$package $$target"; \
			"$$binary" -test.run="^$$" -test.fuzz="^$$target\$$" -test.fuzztime=$(FUZZTIME) \
				-test.fuzzcachedir="$$kept/$$package" $(FUZZFLAGS) || exit 255; \
		done'

quick-fuzz:
	@$(MAKE) --no-print-directory fuzz FUZZTIME=$(QUICKFUZZ) FUZZFLAGS=-test.fuzzminimizetime=0x FUZZJOBS=2

e2e: gotest ## Run the real programs against real checkers
	CGO_ENABLED=0 bin/gotest $(LEFT_OUT) -tags=e2e -vet=off -count=1 -parallel=12 -timeout=30m ./test/e2e
	$(GO) test -C tools/compat -vet=off -count=1 ./...

times: ## Run e2e with its limits in real time, on a quiet machine
	LANDMARK_TIMES=1 $(GO) test -tags=e2e -count=1 -v -timeout=30m ./test/e2e

languages: ## Measure what checkers get of programs in each language, on a quiet machine
	LANDMARK_TIMES=1 $(GO) test -tags=e2e -count=1 -v -run=TestTableOfLanguages ./test/e2e

soak: ## Check that an idle program stays SERVING on a busy machine for five minutes
	LANDMARK_SOAK=5m LANDMARK_TIMES=1 $(GO) test -tags=e2e -count=1 -v -timeout=20m -run=TestIdleUnderLoad ./test/e2e

# It is built, because go run turns every exit status into 1. Exit status 75 means
# that no goal is missed, but the host was too busy to decide about some.
bench: packages ## Measure what Landmark costs, against the goals of docs/benchmarks.md
	@$(GO) build -o bin/bench ./test/bench
	bin/bench -write docs/benchmarks.md

bench-short:
	@mkdir -p bin
	@$(GO) build -o bin/bench ./test/bench
	bin/bench -short -left-out $(LEFT_OUT)

# Exit status 75 ("Error 75") means that nothing failed, but the host was too slow
# to show everything.
lab: packages gotest ## Run the real LVS of test/lab, and measure REPEATS hangs and deaths
	@CGO_ENABLED=0 LANDMARK_LAB_REPEATS=$(REPEATS) LANDMARK_LAB_CROWD=$(CROWD) \
	bin/gotest $(LEFT_OUT) -tags=lab -v -count=1 -timeout=3h ./test/lab

lab-short: gotest
	@CGO_ENABLED=0 LANDMARK_LAB_CROWD=20 bin/gotest $(LEFT_OUT) -tags=lab -vet=off -count=1 -timeout=60m -run='^TestShort$$' ./test/lab

mutants: packages gotest ## Check that lab-short detects programs that lie
	@test/lab/mutants bin/gotest

# It is built, because go run turns every exit status into 1. Exit status 75 means
# that nothing failed, but the host was too slow to show everything.
attack: ## Attack landmarkd, and check its limits: see docs/security.md
	@mkdir -p bin
	@$(GO) build -o bin/attack ./test/attack
	bin/attack

attack-short:
	@mkdir -p bin
	@$(GO) build -o bin/attack ./test/attack
	@[ "$$(id -u)" = 0 ] || echo 'attacks by other local users: only root can be another user' >>$(LEFT_OUT)
	bin/attack -short

clean: ## Remove what was built
	rm -rf bin
