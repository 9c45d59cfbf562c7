package bench

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pseudods/pseudods/storage/postgres/pgserver"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestStoresReplicas: each engine here takes messages, spends tokens, and says what
// it stores.
func TestStoresReplicas(t *testing.T) {
	pgtest.Bin(t)
	ctx := context.Background()
	e := &env{Options: Options{Progress: t.Output()}} // the server runs as another account
	if err := e.openEngines(); err != nil {
		t.Fatal(err)
	}
	defer e.closeEngines()
	m, err := newMint()
	if err != nil {
		t.Fatal(err)
	}
	payments, err := m.payments(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range e.engines {
		octets, err := e.storedBySite(x, "queues", func(s *site) error {
			crowds, err := s.newCrowds(1, 3)
			if err == nil {
				_, err = (&load{members: 3}).round(ctx, s, crowds, 2000, 2)
			}
			return err
		})
		if err != nil || octets < 2*2000 {
			t.Errorf("%s: %v octets of queues, %v", x.name(), octets, err)
		}
		octets, err = e.octets(x, "ledger", func(p place) error { return m.spendAll(ctx, p, payments) })
		if err != nil || octets < 20*16 {
			t.Errorf("%s: %v octets of tokens, %v", x.name(), octets, err)
		}
	}
}

// TestLoadedStores: the embedded store takes entries for few and for all of its
// queues, and larger ones are held against the least.
func TestLoadedStores(t *testing.T) {
	e := &env{Options: Options{Stores: []string{"badger"}}}
	if err := e.openEngines(); err != nil {
		t.Fatal(err)
	}
	defer e.closeEngines()
	if err := e.loaded(t.Context(), []int{150, 250}, 3); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"loaded_active", "loaded_spread"} {
		for _, queues := range []int{150, 250} {
			i := slices.IndexFunc(e.results, func(r Result) bool { return r.Name == name && r.Queues == queues })
			if i < 0 || e.results[i].Value <= 0 || (e.results[i].Ratio > 0) != (queues == 250) {
				t.Errorf("%s of %d queues: %v", name, queues, e.results)
			}
		}
	}
}

// TestContestsAreFair: contenders take turns, and are held against the one that is
// named. In virtual time each takes as long as it sleeps.
func TestContestsAreFair(t *testing.T) { synctest.Test(t, testContestsAreFair) }

func testContestsAreFair(t *testing.T) {
	var order, lines strings.Builder
	e := &env{Options: Options{Progress: &lines}}
	contend := func(name string, long time.Duration) contender {
		return contender{name, func() time.Duration { return 0 }, func() (func() (int, []time.Duration, error), error) {
			order.WriteString(name)
			return func() (int, []time.Duration, error) {
				time.Sleep(long)
				return 1, []time.Duration{long}, nil
			}, nil
		}}
	}
	if err := e.contest(Result{Name: "x"}, "step", "steps", "b", []contender{contend("a", 5*time.Millisecond), contend("b", 20*time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	if order.String() != "ababab" {
		t.Errorf("in the order %s", order.String())
	}
	for _, r := range e.results {
		switch {
		case r.Store == "a" && r.Name == "x" && (r.Unit != "steps/s" || r.Ratio != 4),
			r.Store == "a" && r.Name == "x_p50" && (r.Value != 5 || r.Baseline != 20),
			r.Store == "b" && r.Baseline != 0:
			t.Errorf("%+v", r)
		}
	}
}

// TestMissingStores: what cannot run is left out with a reason, or an error if it was
// asked for.
func TestMissingStores(t *testing.T) {
	open := func(name string) (engine, error) {
		if name == "badger" {
			return badgerEngine{}, nil
		}
		return nil, pgserver.ErrMissing
	}
	var said bytes.Buffer
	e := &env{Options: Options{Progress: &said}}
	err := e.openEnginesBy(open)
	if err != nil || !e.embedded() || !strings.Contains(said.String(), "postgres is left out") || !strings.Contains(said.String(), "sharded is left out") {
		t.Errorf("%v, said %q", err, said.String())
	}
	e = &env{Options: Options{Stores: []string{"postgres"}}}
	if err := e.openEnginesBy(open); !errors.Is(err, pgserver.ErrMissing) {
		t.Errorf("asked for by name: %v", err)
	}
}
