package pgtest

import (
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/postgres"
)

// AtLatch is an expression of SQL that waits until a [Latch] is open.
const AtLatch = "pg_advisory_xact_lock(1)"

// Latch holds up statements of its database, for as long as a test wants.
type Latch struct {
	d       *Database
	session *postgres.DB
}

// Latch makes the database's latch. It is open.
func (d *Database) Latch(t testing.TB) *Latch {
	t.Helper()
	session, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL(), MaxConns: 1}, d.schemas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return &Latch{d, session}
}

// Close has statements wait.
func (l *Latch) Close(t testing.TB) { l.run(t, "select pg_advisory_lock(1)") }

// Open lets them go on.
func (l *Latch) Open(t testing.TB) { l.run(t, "select pg_advisory_unlock(1)") }

func (l *Latch) run(t testing.TB, sql string) {
	t.Helper()
	if err := l.session.Write(t.Context(), sql, nil, nil); err != nil {
		t.Fatal(err)
	}
}

// Await waits until a statement waits, whose answer then comes by the channel. The
// test fails if it comes before.
func (l *Latch) Await(t testing.TB, answer <-chan error) {
	t.Helper()
	for !l.d.Holds(t, "select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'") {
		select {
		case err := <-answer:
			t.Fatalf("it does not wait: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
