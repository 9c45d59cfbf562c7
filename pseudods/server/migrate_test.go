package server

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/move"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

func mkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// populated returns a configuration whose embedded stores have something of
// everything.
func populated(t *testing.T) Config {
	t.Helper()
	pgtest.Bin(t)
	c := config(t)
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	o := openEmbedded(t, c)
	defer o.close()
	o.populate(t.Context())
	return c
}

// copied returns the configuration of a copy of everything.
func copied(t *testing.T, c Config) Config {
	t.Helper()
	other := config(t)
	err := os.CopyFS(other.Data, os.DirFS(c.Data))
	if err == nil {
		err = filepath.WalkDir(other.Data, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(path, 0o700)
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := other.complete(); err != nil {
		t.Fatal(err)
	}
	return other
}

// toDatabases puts new databases into a configuration, and returns what migrates
// to them in small chunks.
func toDatabases(t *testing.T, c *Config) Migration {
	t.Helper()
	m := Migration{Owners: map[Role]postgres.Settings{}, Copy: move.Config{ChunkRows: 8}, madeUp: []string{groupsDir},
		Report: func(s *Store, f badger.Finding) { t.Errorf("%s %s: %+v", s.Role, s.Name, f) }}
	for role, settings := range c.databases() {
		d := pgtest.New(t, Schemas(role)...)
		*settings = postgres.Settings{URL: d.URL()}
		m.Owners[role] = postgres.Settings{URL: d.OwnerURL()}
	}
	return m
}

// sum tells what was moved.
func sum(all []Moved) (s string) {
	for _, m := range all {
		for _, table := range slices.Sorted(maps.Keys(m.State.Tables)) {
			s += fmt.Sprintf("%s: %+v\n", table, m.State.Tables[table])
		}
		s += fmt.Sprintf("%s %s: %d records\n", m.Role, m.Store, m.State.Records)
	}
	return s
}

// TestMigratedStoresBehave: whatever is asked of the stores after the move, the
// databases answer as the embedded stores would have.
func TestMigratedStoresBehave(t *testing.T) {
	c := populated(t)
	old := copied(t, c)
	e := openEmbedded(t, old)
	want := e.behave(t.Context())
	e.close()
	if _, err := c.Migrate(t.Context(), toDatabases(t, &c)); err != nil {
		t.Fatal(err)
	}
	d := openDatabases(t, c)
	defer d.close()
	got := d.behave(t.Context())
	differ(t, got, want)
	if len(want) < 10_000 {
		t.Errorf("little was observed:\n%s", want)
	}
}

func differ(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("line %d:\n%s\nwant\n%s", i, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("%d lines, want %d", len(g), len(w))
	}
}

// TestINV04MigrationCutShort ends the migration of a role again and again, each time
// some steps later, and goes on. Meanwhile no server opens the database; in the end what is
// in it is the same as after a migration in one piece, and tokens are spent once.
func TestINV04MigrationCutShort(t *testing.T) {
	c := populated(t)
	whole := copied(t, c)
	m := toDatabases(t, &whole)
	alone := func() {
		for _, role := range []Role{DS, Issuer, Moderation} {
			delete(m.Owners, role)
		}
	}
	alone()
	all, err := whole.Migrate(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	want := sum(all)
	m = toDatabases(t, &c)
	alone()
	cut := errors.New("cut short")
	cuts := 0
	for at := 1; ; at += 2 {
		var steps atomic.Int64
		between := cuts%4 == 0 // also in the middle of a chunk
		m.Copy.Fault = func(s move.Step) error {
			if s == move.StepRead && !between || steps.Add(1) < int64(at) {
				return nil
			}
			return cut
		}
		all, err = c.Migrate(t.Context(), m)
		if err == nil {
			break
		}
		if cuts++; !errors.Is(err, cut) {
			t.Fatal(err)
		}
		if err := CheckDatabase(QS, c.QS.Database); !errors.Is(err, postgres.ErrMoving) {
			t.Fatalf("a server that starts meanwhile: %v", err)
		}
	}
	if cuts < 5 {
		t.Errorf("cut short %d times", cuts)
	}
	if got := sum(all); got != want {
		t.Errorf("moved\n%s\nwant\n%s", got, want)
	}
	db := must(openDatabase(QS, &c.QS.Database))
	defer db.Close()
	l := must(ledger.Open(t.Context(), ledger.Config{DB: db, Fence: c.embedded(QS)[1].Fence, Key: nullifierKey()}))
	defer l.Close()
	for i := range uint64(8) {
		if _, err := l.Spend(t.Context(), storagetest.NewMint("current").Nth(i), storagetest.Digest("other")); !errors.Is(err, tokens.ErrDoubleSpend) {
			t.Errorf("token %d was spent again: %v", i, err)
		}
	}
}

// TestMigrationRefuses what would lose something.
func TestMigrationRefuses(t *testing.T) {
	all := populated(t)
	t.Run("a source that has changed", func(t *testing.T) {
		c := copied(t, all)
		m := toDatabases(t, &c)
		delete(m.Owners, DS)
		delete(m.Owners, Issuer)
		delete(m.Owners, Moderation)
		cut := errors.New("cut")
		var n atomic.Int64
		m.Copy.Fault = func(s move.Step) error {
			if s == move.StepLoaded && n.Add(1) > 3 {
				return cut
			}
			return nil
		}
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, cut) {
			t.Fatal(err)
		}
		if err := CheckDatabase(QS, c.QS.Database); !errors.Is(err, postgres.ErrMoving) {
			t.Fatalf("a server with half of its stores: %v", err)
		}
		e := openEmbedded(t, c)
		if err := e.queues.DeleteQueue(t.Context(), id[wire.QueueID]("empty")); err != nil {
			t.Fatal(err)
		}
		e.close()
		m.Copy.Fault = nil
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, move.ErrSource) {
			t.Fatalf("a source that has changed: %v", err)
		}
		m.Restart = true
		first, err := c.Migrate(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		m.Restart = false
		again, err := c.Migrate(t.Context(), m)
		if err != nil || sum(again) != sum(first) {
			t.Errorf("when it has ended: %v\n%s", err, sum(again))
		}
		for _, settings := range c.databases() {
			*settings = postgres.Settings{}
		}
		if _, err := New(c); !errors.Is(err, badger.ErrMoved) {
			t.Errorf("a server with the old stores: %v", err)
		}
	})
	t.Run("a database that is used", func(t *testing.T) {
		c := copied(t, all)
		m := toDatabases(t, &c)
		db := must(openDatabase(QS, &c.QS.Database))
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, postgres.ErrInUse) {
			t.Errorf("a connected server: %v", err)
		}
		f := must(postgres.OpenFence(t.Context(), db, postgres.FenceConfig{Path: filepath.Join(t.TempDir(), "f")}))
		f.Close()
		db.Close()
		delete(m.Owners, Moderation)
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, postgres.ErrUsed) {
			t.Errorf("a database that was served from: %v", err)
		}
	})
	t.Run("another database", func(t *testing.T) {
		c := copied(t, all)
		m := toDatabases(t, &c)
		m.Owners[DS] = postgres.Settings{URL: pgtest.New(t, Schemas(DS)...).OwnerURL()}
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, ErrOtherDatabase) {
			t.Errorf("an owner of another database: %v", err)
		}
	})
	t.Run("another format", func(t *testing.T) {
		c := copied(t, all)
		m := toDatabases(t, &c)
		s := c.embedded(DS)[0]
		if err := os.RemoveAll(s.Dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(s.Fence); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, ErrNoStore) {
			t.Errorf("a store that is not there: %v", err)
		}
		must(badger.Open(badger.Config{Dir: s.Dir, Format: badger.Format{Name: s.Format.Name, Version: 99}, Fence: s.Fence, MinFree: 1})).Close()
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, badger.ErrFormat) {
			t.Errorf("a store of a later version: %v", err)
		}
	})
	t.Run("a damaged store", func(t *testing.T) {
		c := copied(t, all)
		m := toDatabases(t, &c)
		m.madeUp = nil
		found := 0
		m.Report = func(*Store, badger.Finding) { found++ }
		delete(m.Owners, Moderation)
		if _, err := c.Migrate(t.Context(), m); !errors.Is(err, ErrDamaged) || found == 0 {
			t.Errorf("groups without heads: %v, %d findings", err, found)
		}
	})
}
