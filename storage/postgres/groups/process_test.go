package groups_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestAttend: one process looks for what each other left, until it has it, and the
// next one if it does not get to it.
func TestAttend(t *testing.T) { pgtest.Both(t, testAttend, groups.Schema) }

func testAttend(t *testing.T, d *pgtest.Database) {
	var stores []*groups.Store
	for range 3 {
		stores = append(stores, groups.New(d.Open(t)))
	}
	due := func(i int, fails bool) bool {
		t.Helper()
		called := false
		err := stores[i].Attend(t.Context(), func(context.Context) error {
			if called = true; fails {
				return errors.New("take failed")
			}
			return nil
		})
		if (err != nil) != (called && fails) {
			t.Fatal(err)
		}
		return called
	}
	want := func(i int, fails, want bool) {
		t.Helper()
		if got := due(i, fails); got != want {
			t.Fatalf("process %d takes over: %t", i, got)
		}
	}
	want(0, true, true) // the first and alone; it fails
	want(0, false, true)
	want(0, false, false)
	want(1, false, false)
	want(2, false, false)
	if err := stores[1].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(2, true, true)
	want(0, false, false) // process 2 is the heir
	want(2, false, true)
	want(2, false, false)
	want(0, false, false)
	// The others die, and with one of them an heir that had not got to it.
	die := func(i int) {
		t.Helper()
		if err := d.First().Exec("update groups.process set seen = clock_timestamp() - interval '11 s' where process in (" +
			"select process from groups.process order by seen offset " + string(rune('0'+i)) + " limit 1)"); err != nil {
			t.Fatal(err)
		}
	}
	want(1, false, false) // back
	want(2, false, false)
	want(0, false, false) // seen in the order 1, 2, 0
	die(0)
	want(2, true, true)
	want(0, false, false) // seen in the order 1 (dead), 2, 0
	die(1)
	want(0, false, true)
	want(0, false, false)
	want(1, false, false) // back from the dead, it is one of them again
}
