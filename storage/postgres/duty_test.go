package postgres_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestDuties: one process has a duty, until it leaves or its lease is over.
func TestDuties(t *testing.T) { pgtest.Both(t, testDuties, postgres.DutySchema) }

func testDuties(t *testing.T, d *pgtest.Database) {
	var all []*postgres.Duties
	for range 2 {
		all = append(all, postgres.NewDuties(d.Open(t)))
	}
	want := func(i int, want bool) {
		t.Helper()
		if got, err := all[i].Claim(t.Context(), "a", time.Minute); err != nil || got != want {
			t.Fatalf("process %d claims: %t, %v", i, got, err)
		}
	}
	want(0, true)
	want(1, false)
	want(0, true)
	if mine, err := all[1].Claim(t.Context(), "b", time.Minute); err != nil || !mine {
		t.Fatalf("another duty: %t, %v", mine, err)
	}
	if err := all[1].Leave(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	want(1, false) // it was not its own to leave
	if err := all[0].Leave(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	want(1, true)
	want(0, false)
	if err := d.First().Exec("update duty.duty set until = clock_timestamp() - interval '1 ms'"); err != nil { // it died
		t.Fatal(err)
	}
	want(0, true)
	want(1, false)
}

// TestDutyRaces: of many processes that come at once one has a duty.
func TestDutyRaces(t *testing.T) {
	d := pgtest.New(t, postgres.DutySchema)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		db := d.Open(t)
		for range 4 {
			duties := postgres.NewDuties(db)
			wg.Go(func() {
				if mine, err := duties.Claim(t.Context(), "a", time.Minute); err != nil {
					t.Error(err)
				} else if mine {
					won.Add(1)
				}
			})
		}
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d processes have the duty", won.Load())
	}
}

// TestRound: what was done is not done by others until it is time, and what failed
// is done by the next.
func TestRound(t *testing.T) {
	d := pgtest.New(t, postgres.DutySchema)
	a, b := postgres.NewDuties(d.Open(t)), postgres.NewDuties(d.Open(t))
	boom := errors.New("boom")
	round := func(who *postgres.Duties, fail error) (called bool) {
		t.Helper()
		did, err := who.Round(t.Context(), "walk", time.Hour, func(context.Context) error {
			called = true
			if mine, err := a.Claim(t.Context(), "walk", time.Minute); who == b && (mine || err != nil) {
				t.Errorf("claimed meanwhile: %t, %v", mine, err)
			}
			return fail
		})
		if did != called || !errors.Is(err, fail) {
			t.Fatalf("round: %t, %v", did, err)
		}
		return called
	}
	if !round(a, boom) || !round(b, nil) || round(a, nil) || !round(b, nil) {
		t.Fatal("not who should")
	}
	if err := d.First().Exec("update duty.duty set until = clock_timestamp() - interval '1 ms'"); err != nil {
		t.Fatal(err)
	}
	if !round(a, nil) || round(b, nil) {
		t.Fatal("not taken over")
	}
}
