package allowances_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/storetest"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/allowances"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func newDatabase(t *testing.T) *pgtest.Database {
	d := pgtest.New(t, allowances.Schema)
	d.Check(t, allowances.Checks)
	return d
}

// opened is a store with what it takes to open it again.
type opened struct {
	*allowances.Store
	db       *postgres.DB
	database *pgtest.Database
}

func TestConformance(t *testing.T) {
	conform(t, newDatabase)
}

func TestConformanceSharded(t *testing.T) {
	conform(t, func(t *testing.T) *pgtest.Database {
		d := pgtest.NewSharded(t, 2, allowances.Schema)
		d.Check(t, allowances.Checks)
		return d
	})
}

func conform(t *testing.T, database func(*testing.T) *pgtest.Database) {
	storetest.Run(t, storetest.Driver{
		Open: func(t *testing.T) attester.Store {
			d := database(t)
			db := d.Open(t)
			return opened{allowances.New(db), db, d}
		},
		Reopen: func(t *testing.T, s attester.Store) attester.Store {
			o := s.(opened)
			if err := o.database.Crash(); err != nil {
				t.Fatal(err)
			}
			o.db.Close()
			o.db = o.database.Open(t)
			o.Store = allowances.New(o.db)
			return o
		},
	})
}

func charge(request byte, tokens int) attester.Charge {
	return attester.Charge{Slot: attester.Slot{Class: "send", Epoch: 3}, Request: attester.Digest{request}, Tokens: tokens, Limit: 10, Reply: []byte{request}}
}

// TestLostAnswers: a charge whose answers are lost is made once, and its reply is
// the one that is stored.
func TestLostAnswers(t *testing.T) {
	d := newDatabase(t)
	p := pgtest.NewProxy(t, d.Cluster())
	db, err := postgres.Open(t.Context(), postgres.Config{URL: p.URL(d)}, allowances.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := allowances.New(db)
	for cut := range pgtest.Cuts {
		for times := range 3 {
			account := attester.Account{byte(cut), byte(times)}
			p.Arm(pgtest.Cut(cut), times)
			reply, err := s.Charge(t.Context(), account, charge(1, 6))
			if err != nil || string(reply) != "\x01" || p.Disarm() != times {
				t.Fatalf("cut %d, %d times: %q, %v", cut, times, reply, err)
			}
			p.Arm(pgtest.Cut(cut), times)
			if _, err := s.Charge(t.Context(), account, charge(2, 6)); !errors.Is(err, attester.ErrExhausted) {
				t.Fatalf("cut %d, %d times: over the limit: %v", cut, times, err)
			}
			p.Disarm()
			if v, err := s.Look(t.Context(), account, charge(1, 6).Slot, attester.Digest{1}); err != nil || v.Spent != 6 || !v.Standing.Seen {
				t.Fatalf("found %+v, %v", v, err)
			}
		}
	}
	p.Arm(pgtest.BeforeAnswer, 2)
	if err := s.DropBefore(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	p.Disarm()
	if _, err := s.Charge(t.Context(), attester.Account{}, charge(3, 1)); !errors.Is(err, attester.ErrPast) {
		t.Fatalf("a dropped epoch: %v", err)
	}
}

// TestDropCutShort: a drop that ended after its first step is finished by the
// next one.
func TestDropCutShort(t *testing.T) {
	d := newDatabase(t)
	db := d.Open(t)
	s := allowances.New(db)
	if _, err := s.Charge(t.Context(), attester.Account{}, charge(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), "select allowances.end_epoch(3)", nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Charge(t.Context(), attester.Account{}, charge(2, 1)); !errors.Is(err, attester.ErrPast) {
		t.Fatalf("a half-dropped epoch takes charges: %v", err)
	}
	if err := s.DropBefore(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Look(t.Context(), attester.Account{}, charge(1, 1).Slot, attester.Digest{1}); err != nil || v.Reply != nil || v.Spent != 0 {
		t.Fatalf("after the drop: %+v, %v", v, err)
	}
}

// TestManyProcesses lets stores of several processes race for one allowance, in
// an epoch that none of them has seen.
func TestManyProcesses(t *testing.T) {
	d := newDatabase(t)
	var won atomic.Int64
	var wg sync.WaitGroup
	for p := range 3 {
		s := allowances.New(d.Open(t))
		for w := range 8 {
			wg.Go(func() {
				_, err := s.Charge(context.Background(), attester.Account{1}, charge(byte(8*p+w), 3))
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, attester.ErrExhausted):
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if v, err := allowances.New(d.Open(t)).Look(t.Context(), attester.Account{1}, charge(1, 1).Slot, attester.Digest{1}); err != nil || won.Load() != 3 || v.Spent != 9 {
		t.Fatal(fmt.Sprint(won.Load(), " won: "), v.Spent, err)
	}
}
