package server

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// database makes the database of a role.
func database(t *testing.T, role Role) (*pgtest.Database, postgres.Settings) {
	t.Helper()
	d := pgtest.New(t, Schemas(role)...)
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(d.URL()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return d, postgres.Settings{URL: file}
}

// databases puts the stores of all roles of a server into databases, and returns
// that of the delivery service.
func databases(t *testing.T, c *Config) *pgtest.Database {
	t.Helper()
	var ds *pgtest.Database
	ds, c.DS.Database = database(t, DS)
	_, c.QS.Database = database(t, QS)
	_, c.Issuer.Database = database(t, Issuer)
	_, c.Moderation.Database = database(t, Moderation)
	return ds
}

// TestDatabases runs all roles on PostgreSQL: tokens are issued and buy once, also
// after a restart, and no store is left in a directory.
func TestDatabases(t *testing.T) {
	c := config(t)
	cheap(&c)
	databases(t, &c)
	testTokensBuyOnce(t, c)
	if stores := must(c.Stores()); len(stores) != 0 {
		t.Errorf("embedded stores: %+v", stores)
	}
	all := must(c.Databases())
	if len(all) != 4 {
		t.Fatalf("databases: %+v", all)
	}
	for role, settings := range all {
		if err := CheckDatabase(role, settings); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	for _, path := range []string{"ds/groups", "ds/spent", "qs/queues", "qs/spent", "issuer/allowances", "moderation/reports"} {
		if _, err := os.Stat(filepath.Join(c.Data, path)); !os.IsNotExist(err) {
			t.Errorf("there is a store at %s: %v", path, err)
		}
	}
}

func TestDatabaseSettings(t *testing.T) {
	c := config(t)
	c.DS.Database = postgres.Settings{URL: filepath.Join(t.TempDir(), "none")}
	if _, err := New(c); err == nil {
		t.Error("a file that is not there was taken")
	}
	c = config(t)
	c.Moderation.Database = postgres.Settings{URL: filepath.Join(t.TempDir(), "none")}
	if _, err := New(c); err == nil {
		t.Error("a file for reports that is not there was taken")
	}
	c.Moderation.Off = true
	if all := must(c.Databases()); len(all) != 0 {
		t.Errorf("databases without reports: %+v", all)
	}
}

// TestDatabaseDown: a server is not ready while its database is down, and is again
// when that is back, with what was stored.
func TestDatabaseDown(t *testing.T) {
	c := config(t)
	cheap(&c)
	d := databases(t, &c)
	s, _ := start(t, c)
	ready := func() int {
		status, _ := get(t, s.Running().Admin+"/readyz")
		return status
	}
	if status := ready(); status != http.StatusOK {
		t.Fatalf("ready: %d", status)
	}
	alice := newUser(t, s.URL(DS)).newOwner(wire.QueueSettings{})
	d.Cluster().Crash()
	if status := ready(); status != http.StatusServiceUnavailable {
		t.Errorf("without its database: %d", status)
	}
	if err := d.Cluster().Restart(); err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if ready() == http.StatusOK {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if status := ready(); status != http.StatusOK {
		t.Fatalf("with its database again: %d", status)
	}
	if page := alice.read(0); len(page.Entries) != 0 {
		t.Errorf("a queue of nothing has %d entries", len(page.Entries))
	}
}

// TestChecksCoverEveryRole: the checks of each role look at all tables whose rows have
// a shard; where they did not, an inspection would not get as far as the database.
func TestChecksCoverEveryRole(t *testing.T) {
	nowhere := postgres.Settings{URL: "postgres://owner@/role?host=" + t.TempDir()}
	for _, role := range []Role{DS, QS, Issuer, Moderation} {
		if _, err := InspectDatabase(t.Context(), role, nowhere, nil); !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("%s: %v", role, err)
		}
	}
}
