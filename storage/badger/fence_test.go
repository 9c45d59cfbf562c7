package badger_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
)

// site is a database with its fence, and copies of either.
type site struct {
	t   *testing.T
	cfg badger.Config
}

func newSite(t *testing.T) *site {
	return &site{t, badger.Config{
		Dir:    filepath.Join(t.TempDir(), "db"),
		Fence:  filepath.Join(t.TempDir(), "fence"),
		Format: format,
	}}
}

// copyDir copies the files of a closed database.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func setNote(t *testing.T, db *badger.DB, note string) {
	t.Helper()
	err := db.Submit(context.Background(), func(tx *badger.Tx) error {
		tx.SetNote([]byte(note))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFenceFindsAnOlderCopy(t *testing.T) {
	s := newSite(t)
	backup := filepath.Join(t.TempDir(), "backup")
	db := open(t, s.cfg)
	setNote(t, db, "early")
	mustPut(t, db, "a", "1")
	db.Close()
	copyDir(t, s.cfg.Dir, backup)
	db = open(t, s.cfg)
	setNote(t, db, "late")
	mustPut(t, db, "b", "1") // is missing in the copy
	db.Close()

	copyDir(t, backup, s.cfg.Dir)
	_, err := badger.Open(s.cfg)
	wantErr(t, err, badger.ErrRolledBack)

	// A driver that cannot cope keeps the database closed.
	refusal := errors.New("cannot cope")
	s.cfg.OnRollback = func(*badger.Tx, []byte) error { return refusal }
	_, err = badger.Open(s.cfg)
	wantErr(t, err, refusal)

	called := 0
	s.cfg.OnRollback = func(tx *badger.Tx, note []byte) error {
		called++
		if string(note) != "late" {
			t.Errorf("note %q", note)
		}
		if v, err := tx.Get([]byte("a")); err != nil || string(v) != "1" {
			t.Errorf("the copy's record: %q, %v", v, err)
		}
		tx.Put([]byte("fenced"), note)
		return nil
	}
	open(t, s.cfg).Close()
	db = open(t, s.cfg) // now it is past its fence again
	wantValue(t, db, "fenced", "late")
	wantValue(t, db, "b", "")
	if called != 1 {
		t.Fatalf("called %d times", called)
	}
}

// TestFenceFindsAnEmptyDatabase: the directory was lost, the fence was not.
func TestFenceFindsAnEmptyDatabase(t *testing.T) {
	s := newSite(t)
	db := open(t, s.cfg)
	setNote(t, db, "n")
	db.Close()
	os.RemoveAll(s.cfg.Dir)
	_, err := badger.Open(s.cfg)
	wantErr(t, err, badger.ErrRolledBack)
	called := false
	s.cfg.OnRollback = func(*badger.Tx, []byte) error { called = true; return nil }
	open(t, s.cfg)
	if !called {
		t.Fatal("not noticed")
	}
}

func TestFenceMustFit(t *testing.T) {
	s := newSite(t)
	db := open(t, s.cfg)
	mustPut(t, db, "a", "1")
	db.Close()
	good, err := os.ReadFile(s.cfg.Fence)
	if err != nil {
		t.Fatal(err)
	}
	other := newSite(t)
	open(t, other.cfg).Close()

	refused := func(name string, cfg badger.Config) {
		t.Helper()
		if _, err := badger.Open(cfg); !errors.Is(err, badger.ErrFence) {
			t.Fatalf("%s: got %v, want ErrFence", name, err)
		}
	}
	without := s.cfg
	without.Fence = ""
	refused("opened without", without)
	foreign := s.cfg
	foreign.Fence = other.cfg.Fence
	refused("another database's", foreign)
	os.Remove(s.cfg.Fence)
	refused("missing", s.cfg)
	os.WriteFile(s.cfg.Fence, good[:len(good)-1], 0o600)
	refused("cut short", s.cfg)
	os.WriteFile(s.cfg.Fence, make([]byte, len(good)), 0o600)
	refused("blank", s.cfg)
	os.WriteFile(s.cfg.Fence, good, 0o600)
	open(t, s.cfg).Close()

	// A database that was made without a fence may get one, but a new one.
	plain := badger.Config{Dir: t.TempDir(), Format: format}
	db = open(t, plain)
	mustPut(t, db, "a", "1")
	db.Close()
	plain.Fence = s.cfg.Fence
	plain.OnRollback = func(*badger.Tx, []byte) error { return nil }
	refused("a used one", plain)
	plain.Fence = filepath.Join(t.TempDir(), "fence")
	open(t, plain)
}

// TestNoteOutlivesACrashBeforeTheFence: the database has the note, the fence
// does not; the next batch must not write the older one over it.
func TestNoteOutlivesACrashBeforeTheFence(t *testing.T) {
	s := newSite(t)
	faulty := s.cfg
	faulty.Fault = failAt(badger.StepFence, 2) // the first batch is Open's own
	db := open(t, faulty)
	err := db.Submit(context.Background(), func(tx *badger.Tx) error { tx.SetNote([]byte("n")); return nil })
	wantErr(t, err, badger.ErrAmbiguous)
	db.Close()
	faulty.Fault = nil
	db = open(t, faulty)
	mustPut(t, db, "a", "1")
	db.Close()
	os.RemoveAll(faulty.Dir)
	var got string
	faulty.OnRollback = func(_ *badger.Tx, note []byte) error { got = string(note); return nil }
	open(t, faulty)
	if got != "n" {
		t.Fatalf("the fence has note %q", got)
	}
}
