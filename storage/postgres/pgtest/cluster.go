package pgtest

import (
	"os"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres/pgserver"
)

// Required is the environment variable without which tests that need a server are
// skipped, so that plain `go test` needs Go alone.
const Required = "PGTEST_REQUIRED"

// Superuser is the name of the cluster's superuser.
const Superuser = pgserver.Superuser

// Cluster is a running server.
type Cluster struct{ *pgserver.Server }

var (
	mu     sync.Mutex
	shared *Cluster
)

// Main runs the tests and ends the server that they shared.
func Main(m *testing.M) int {
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	if shared != nil {
		shared.Remove()
	}
	return code
}

// Shared returns the server of this test binary, and starts it first.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if shared == nil {
		shared = start(t)
	}
	return shared
}

// Start returns a server of the test's own, with more settings "name=value".
func Start(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c := start(t, settings...)
	t.Cleanup(func() { c.Remove() })
	return c
}

func start(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	Bin(t)
	s, err := pgserver.Start("", settings...)
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{s}
}

// Bin returns the directory of the newest binaries, or skips the test.
func Bin(t testing.TB) string {
	t.Helper()
	if os.Getenv(Required) == "" {
		t.Skip("needs PostgreSQL, see `make test-engines`")
	}
	bin, err := pgserver.Bin()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Standby starts a server that streams from this one, under that name, and waits
// until it does.
func (c *Cluster) Standby(t testing.TB, name string) *Cluster {
	t.Helper()
	s, err := c.Server.Standby("", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Remove() })
	return &Cluster{s}
}

// FailoverURL signs in as [Database.URL] does, at whichever of the database's server
// and its standbys takes writes.
func (d *Database) FailoverURL(standbys ...*Cluster) string {
	url := d.URL()
	for _, s := range standbys {
		url += "," + s.Dir()
	}
	return url
}
