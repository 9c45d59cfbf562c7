package badger_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
)

// TestMoved: a database that was moved is not opened by a server, stays what it was
// for who looks at it, and is an older copy once it is used again.
func TestMoved(t *testing.T) {
	dir := t.TempDir()
	rolledBack := 0
	open := func(m badger.Moved) (*badger.DB, error) {
		return badger.Open(badger.Config{Dir: filepath.Join(dir, "db"), Fence: filepath.Join(dir, "fence"), Format: badger.Format{Name: "test", Version: 1}, MinFree: 1,
			Moved: m, OnRollback: func(tx *badger.Tx, note []byte) error {
				if string(note) != "note" {
					t.Errorf("note %q", note)
				}
				rolledBack++
				return nil
			}})
	}
	must := func(db *badger.DB, err error) *badger.DB {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	position := func(db *badger.DB) badger.Position {
		t.Helper()
		p, err := db.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	db := must(open(badger.RefuseMoved))
	err := db.Submit(t.Context(), func(tx *badger.Tx) error {
		tx.Put([]byte("k"), []byte("v"))
		tx.SetNote([]byte("note"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(badger.RefuseMoved); !errors.Is(err, badger.ErrInUse) {
		t.Errorf("a database that is open: %v", err)
	}
	before := position(db)
	for range 2 {
		if err := db.Move(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	for range 2 {
		if _, err := open(badger.RefuseMoved); !errors.Is(err, badger.ErrMoved) {
			t.Fatalf("a server with a database that was moved: %v", err)
		}
		db = must(open(badger.LookAtMoved))
		p := position(db)
		if string(p.Marshal()) != string(before.Marshal()) || !p.Moved || p.Fence != before.Fence || p.Number != before.Number+1 {
			t.Errorf("position %+v, before %+v", p, before)
		}
		db.Close()
	}
	if rolledBack != 0 {
		t.Fatal("rolled back by looking at it")
	}
	must(open(badger.ReopenMoved)).Close()
	db = must(open(badger.RefuseMoved))
	if rolledBack != 1 || db.Restores() != 1 || position(db).Moved {
		t.Errorf("rolled back %d times, %d restores", rolledBack, db.Restores())
	}
	if v, err := db.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("%q, %v", v, err)
	}
	db.Close()
}
