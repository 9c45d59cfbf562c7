package pgtest

import (
	"context"
	"fmt"
	"slices"
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

// Misplaced tells a shard of two, without findings, that it is the other one: all its
// rows of these kinds, of which it has some, must be found to be in the wrong shard then,
// in that order, and nothing else.
func (d *Database) Misplaced(t *testing.T, checks []postgres.Walk, kinds ...string) {
	t.Helper()
	rows := map[string]uint64{}
	for _, tally := range d.Fsck(t, checks).Tallies {
		rows[tally.Kind] = tally.Records
	}
	if err := d.Exec("update shard.place set number = 1 - number"); err != nil {
		t.Fatal(err)
	}
	var want, got []postgres.Finding
	for _, kind := range kinds {
		want = append(want, postgres.Finding{Kind: kind, Problem: "in the wrong shard", Count: rows[kind]})
	}
	_, err := postgres.Inspect(context.Background(), postgres.Config{URL: d.OwnerURL()}, checks, func(f postgres.Finding) { got = append(got, f) }, d.schemas...)
	if err != nil || !slices.Equal(got, want) || slices.ContainsFunc(want, func(f postgres.Finding) bool { return f.Count == 0 }) {
		t.Errorf("found %+v, want %+v, %v", got, want, err)
	}
}

// Standby is the database on a standby of its server.
func (d *Database) Standby(c *Cluster) *Database {
	return &Database{cluster: c, name: d.name, schemas: d.schemas, logins: d.logins}
}
