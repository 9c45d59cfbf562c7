package pgtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
)

// Fsck inspects the database, which may be in use, and fails the test if it finds
// anything else than what is wanted. Only kinds and texts are compared. Of a router
// its shards are inspected, and nothing is summed up.
func (d *Database) Fsck(t testing.TB, checks []postgres.Walk, want ...postgres.Finding) postgres.Summary {
	t.Helper()
	for _, s := range d.Shards {
		s.Fsck(t, checks, want...)
	}
	if d.Shards != nil {
		return postgres.Summary{}
	}
	var got []postgres.Finding
	summary, err := postgres.Inspect(context.Background(), postgres.Config{URL: d.OwnerURL()}, checks,
		func(f postgres.Finding) { got = append(got, f) }, d.schemas...)
	if err != nil {
		t.Fatal(err)
	}
	same := len(got) == len(want) && int(summary.Findings) == len(got)
	for i := range want {
		same = same && got[i].Kind == want[i].Kind && got[i].Problem == want[i].Problem
	}
	if !same {
		t.Errorf("found %+v, want %+v", got, want)
	}
	return summary
}

// Check inspects the database after each crash and when the test ends, unless it
// has failed.
func (d *Database) Check(t testing.TB, checks []postgres.Walk) {
	d.t, d.checks = t, checks
	t.Cleanup(func() {
		if !t.Failed() && d.cluster.Running() {
			d.Fsck(t, checks)
		}
	})
}

// Damage is something that a check must find.
type Damage struct {
	Name string
	// SQL is run by a superuser, for whom no constraint holds that is dropped first.
	SQL  string
	Want []postgres.Finding
}

// Damaged inspects a database without findings after each damage to its tables,
// which are then put back as they were: all rows, but not definitions.
func (d *Database) Damaged(t *testing.T, checks []postgres.Walk, tables []string, all ...Damage) {
	t.Helper()
	exec := func(t *testing.T, sql string) {
		t.Helper()
		if err := d.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	keep, undo := "create schema kept;", ""
	for i, table := range tables {
		keep += fmt.Sprintf("create table kept.t%d as table %s;", i, table)
		undo += fmt.Sprintf("delete from %s; insert into %s select * from kept.t%d;", table, table, i)
	}
	exec(t, keep)
	d.Fsck(t, checks)
	for i, damage := range all {
		t.Run(damage.Name, func(t *testing.T) {
			exec(t, damage.SQL)
			d.Fsck(t, checks, damage.Want...)
			if i < len(all)-1 {
				exec(t, undo)
			}
		})
	}
}
