# Developer targets. What needs Go alone runs in plain `go test ./...`; what
# needs node is here and in .ci/run.

FUZZTIME ?= 10s

SHELL = /bin/bash
.SHELLFLAGS = -eu -o pipefail -c

.PHONY: check test test-power test-race fuzz bench bench-smoke report interop test-crash test-patroni

check: ## what CI runs
	.ci/run

test:
	go test ./...

# In few cuts it is part of `make test` where there is root on Linux.
POWER_CUTS ?= 100

test-power: ## takes the power from disks under stores, POWER_CUTS times each
	POWER_CUTS=$(POWER_CUTS) go test -count 1 -v -timeout 60m -run 'PowerLoss|TestDisk' ./storage/...

KILLS ?= 1000

test-crash: engines ## kills servers, databases and clients KILLS times, together and split, and audits
	for store in "" postgres; do for layout in "" -split; do \
	  go run ./cmd/pdsbench crash -store "$$store" -kills $(KILLS) $$layout; \
	done; go run ./cmd/pdsbench crash -store "$$store" -kills 5 -control | tail -n 1; done

# A policy that forbids to start daemons keeps Debian's own etcd and Patroni down.
# What is started is on loopback, in temporary directories, and ends with the run.
test-patroni: engines ## kills leaders, standbys, nodes of etcd and shards; then leaders and a shard that lose, which must be seen
	@if ! command -v patroni >/dev/null || ! command -v etcd >/dev/null || ! ls /usr/share/postgresql/*/extension/plproxy.control >/dev/null 2>&1; then \
	  policy=/usr/sbin/policy-rc.d; made=; \
	  if [ ! -e $$policy ]; then printf '#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; made=1; fi; \
	  trap '[ -z "$$made" ] || rm -f $$policy' EXIT; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q patroni etcd-server "postgresql-$$(ls /usr/lib/postgresql | tail -n 1)-plproxy"; \
	fi
	go run ./cmd/pdsbench crash -store patroni -kills 24
	go run ./cmd/pdsbench crash -store sharded -kills 24
	go run ./cmd/pdsbench crash -store routed-patroni -kills 18
	for store in patroni sharded routed-patroni; do \
	  go run ./cmd/pdsbench crash -store $$store -kills 4 -control | grep -v problem:; done

# Servers are those of the tests, from Debian's packages: each has a directory and
# a socket of its own, and ends with the test. None that Debian starts is used.
ENGINES = ./storage/fence ./storage/postgres/... ./pseudods/server

# Tests make databases by the hundred: in memory, where that has 8 GB to spare. A
# server that is killed there loses no more than on a disk, as the system goes on.
ENGINES_TMP = $(shell df -Pk /dev/shm 2>/dev/null | awk 'END { exit !($$4 > 8000000) }' && echo /dev/shm || echo "$${TMPDIR:-/tmp}")

.PHONY: test-engines engines
test-engines: engines ## every suite on PostgreSQL; SHORT=-short leaves out connections that are lost for good
	GOTMPDIR="$${TMPDIR:-/tmp}" TMPDIR=$(ENGINES_TMP) PGTEST_REQUIRED=1 go test -count 1 -timeout 40m $(SHORT) $(ENGINES)
	PGTEST_REQUIRED=1 go test -count 1 -timeout 40m -run 'Replicas|Databases' ./bench ./cmd/pseudods

# A policy that forbids to start daemons keeps Debian's own cluster down.
engines: ## installs PostgreSQL and PL/Proxy, if they are not there
	@if ! ls /usr/lib/postgresql/*/bin/initdb /usr/lib/postgresql/*/lib/plproxy.so >/dev/null 2>&1; then \
	  policy=/usr/sbin/policy-rc.d; made=; \
	  if [ ! -e $$policy ]; then printf '#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; made=1; fi; \
	  trap '[ -z "$$made" ] || rm -f $$policy' EXIT; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q postgresql && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -q "postgresql-$$(ls /usr/lib/postgresql | sort -n | tail -n 1)-plproxy"; \
	fi

# The packages that start goroutines or are used from many.
RACE = ./internal/... ./mls/tree ./mls/epoch ./privacypass/... ./tokens/... ./storage/... ./client/... ./pseudods/...

test-race:
	go test -race -short -timeout 25m $(RACE)

# The engine sometimes ends a run of a few seconds with "context deadline
# exceeded" and no failing input, a known fault: that run is repeated. A package is
# built once, and not for each of its targets; inputs found are kept beside the build
# cache.
fuzz: ## every fuzz target of every package, FUZZTIME each
	@tmp=$$(mktemp -d); trap 'rm -rf $$tmp' EXIT; cache=$$(go env GOCACHE)/fuzz; \
	run() { $$tmp/test -test.run '^$$' -test.fuzz "^$$1$$" -test.fuzztime $(FUZZTIME) -test.fuzzminimizetime 20x -test.fuzzcachedir "$$cache/$$dir" >$$tmp/out 2>&1; }; \
	for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
	  go test -c -fuzz=Fuzz -o $$tmp/test "$$dir"; \
	  for target in $$($$tmp/test -test.list '^Fuzz'); do \
	    echo "$$dir $$target"; \
	    ( cd "$$dir"; run $$target || { grep -q 'context deadline exceeded' $$tmp/out && ! grep -q 'Failing input' $$tmp/out && run $$target; } || { cat $$tmp/out; exit 1; } ); \
	    tail -n 1 $$tmp/out; \
	  done; \
	done

bench: ## the figures that the documentation quotes
	go test -run '^$$' -bench . -benchmem ./...

bench-smoke: ## every benchmark once, so that none rots
	go test -run '^$$' -bench . -benchtime 1x -short -timeout 20m ./... | grep -E '^(Benchmark|ok|FAIL|---)' | grep -v 'no test files'

report: ## page, summary and tables of the results that are kept
	go run ./cmd/pdsbench report --html bench/results/index.html --brief README.md --tables docs/research.md bench/results/*.json

interop: ## clients nobody here wrote, from npm
	@for run in interop/*/run; do echo "$$run"; $$run; done
