package postgres_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

func wantRisks(t *testing.T, d *pgtest.Database, want ...postgres.Risk) {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL()}, sample)
	if want == nil {
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		return
	}
	var r *postgres.RiskError
	if !errors.As(err, &r) || !slices.Equal(r.Risks, want) {
		t.Fatalf("opened with %v, want %v", err, want)
	}
	if db, err = postgres.Open(t.Context(), postgres.Config{URL: d.URL(), Accept: want}, sample); err != nil {
		t.Fatalf("accepted: %v", err)
	}
	db.Close()
}

// TestRisks: a database that may lose what it acknowledged is refused, until the
// operator accepts that.
func TestRisks(t *testing.T) {
	d := pgtest.New(t, sample)
	wantRisks(t, d)
	exec := func(sql string) {
		t.Helper()
		if err := d.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("alter role " + d.Name() + "_app set synchronous_commit = off")
	wantRisks(t, d, postgres.RiskCommitNotSynced)
	exec("alter role " + d.Name() + "_app reset synchronous_commit")
	exec("alter table sample.note set unlogged")
	wantRisks(t, d, postgres.RiskUnlogged)
	exec("alter table sample.note set logged")
	wantRisks(t, d)
}

func TestRisksOfServer(t *testing.T) {
	c := pgtest.Start(t, "fsync=off", "full_page_writes=off")
	wantRisks(t, pgtest.On(t, c, sample), postgres.RiskNoFsync, postgres.RiskTornPages)
}

// TestRisksOfStandbys: a standby that streams must be waited for.
func TestRisksOfStandbys(t *testing.T) {
	c := pgtest.Start(t)
	d := pgtest.On(t, c, sample)
	wantRisks(t, d)
	c.Standby(t, "alpha")
	wantRisks(t, d, postgres.RiskAsynchronous)
	if err := c.Configure("synchronous_standby_names", "alpha"); err != nil {
		t.Fatal(err)
	}
	// The owner sees that there is a standby, and not that it is the right one.
	wantRisks(t, d, postgres.RiskAsynchronousStandby)
	if err := d.Exec("grant pg_read_all_stats to " + d.Name() + "_owner"); err != nil {
		t.Fatal(err)
	}
	wantRisks(t, d)
	c.Standby(t, "beta")
	wantRisks(t, d, postgres.RiskAsynchronousStandby)
	if err := c.Configure("synchronous_standby_names", "ANY 1 (alpha, beta)"); err != nil {
		t.Fatal(err)
	}
	wantRisks(t, d)
}
