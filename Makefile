# Developer targets. What needs Go alone runs in plain `go test ./...`; what
# needs node is here and in .ci/run.

FUZZTIME ?= 10s

SHELL = /bin/bash
.SHELLFLAGS = -eu -o pipefail -c

.PHONY: check test test-race fuzz bench bench-smoke interop

check: ## what CI runs
	.ci/run

test:
	go test ./...

# The packages that start goroutines or are used from many.
RACE = ./internal/... ./mls/tree ./mls/epoch ./privacypass/... ./tokens/... ./storage/... ./client/... ./pseudods/...

test-race:
	go test -race -short -timeout 25m $(RACE)

# The engine sometimes ends a run of a few seconds with "context deadline
# exceeded" and no failing input, a known fault: that run is repeated.
fuzz: ## every fuzz target of every package, FUZZTIME each
	@out=$$(mktemp); trap 'rm -f $$out' EXIT; \
	run() { go test -run '^$$' -fuzz "^$$2$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$1 >$$out 2>&1; }; \
	for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; \
	    run $$pkg $$target || { grep -q 'context deadline exceeded' $$out && ! grep -q 'Failing input' $$out && run $$pkg $$target; } || { cat $$out; exit 1; }; \
	    tail -n 1 $$out; \
	  done; \
	done

bench: ## the figures that the documentation quotes
	go test -run '^$$' -bench . -benchmem ./...

bench-smoke: ## every benchmark once, so that none rots
	go test -run '^$$' -bench . -benchtime 1x -short -timeout 20m ./... | grep -E '^(Benchmark|ok|FAIL|---)' | grep -v 'no test files'

interop: ## clients nobody here wrote, from npm
	@for run in interop/*/run; do echo "$$run"; $$run; done
