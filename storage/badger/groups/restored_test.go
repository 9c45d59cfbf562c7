package groups_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
	"github.com/pseudods/pseudods/storage/storagetest"
)

// TestRestoredCounts puts the same old copy in place again and again: each time
// counts, also those that the copy does not know of.
func TestRestoredCounts(t *testing.T) {
	dir, fence := filepath.Join(t.TempDir(), "db"), filepath.Join(t.TempDir(), "fence")
	open := func(dir string) (*badger.DB, *groups.Store) {
		t.Helper()
		db, err := badger.Open(badger.Config{Dir: dir, Format: groups.Format, Fence: fence, OnRollback: groups.OnRollback, MinFree: 1})
		if err != nil {
			t.Fatal(err)
		}
		return db, groups.New(db)
	}
	write := func(s *groups.Store, base uint64) {
		t.Helper()
		batch := &ds.Batch{Base: base, Puts: []ds.Record{{Key: []byte("k"), Value: []byte("v")}}}
		if err := s.Commit(context.Background(), wire.GroupID{1}, batch); err != nil {
			t.Fatal(err)
		}
	}
	db, s := open(dir)
	write(s, 0)
	old := filepath.Join(t.TempDir(), "old")
	if err := storagetest.CopyLive(dir, old); err != nil {
		t.Fatal(err)
	}
	write(s, 1)
	if n := s.Restored(); n != 0 {
		t.Fatalf("a new store was restored %d times", n)
	}
	for want := uint16(1); want < 4; want++ {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(t.TempDir(), "again")
		if err := storagetest.CopyLive(old, dir); err != nil {
			t.Fatal(err)
		}
		db, s = open(dir)
		if n := s.Restored(); n != want {
			t.Fatalf("restored %d times, want %d", n, want)
		}
		write(s, 1)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
