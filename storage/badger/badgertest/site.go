// Package badgertest is where the tests of the drivers on the embedded kernel keep
// their stores.
package badgertest

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

// Driver is a driver under test.
type Driver[S io.Closer] struct {
	Format badger.Format
	// New makes the store of an open database. It closes the database with close.
	New func(db *badger.DB, close func() error) (S, error)
	// Check is the driver's check of a database.
	Check func(context.Context, *badger.DB, func(badger.Finding)) (badger.Summary, error)
}

// Site is a directory with a store. It checks the store whenever it was closed or
// has crashed.
type Site[S io.Closer] struct {
	t      testing.TB
	driver Driver[S]
	dir    string
	db     *badger.DB
	failAt atomic.Int32 // a badger.Step, or -1
}

var _ faults.Site[io.Closer] = (*Site[io.Closer])(nil)

// NewSite returns an empty site.
func NewSite[S io.Closer](t testing.TB, d Driver[S]) *Site[S] {
	return &Site[S]{t: t, driver: d, dir: filepath.Join(t.TempDir(), "db")}
}

// Dir is the directory of the database.
func (s *Site[S]) Dir() string { return s.dir }

// DB is the database that was opened last.
func (s *Site[S]) DB() *badger.DB { return s.db }

var errDisk = errors.New("badgertest: disk failed")

// Open implements [faults.Site]. The journal is small, so that records move into
// the tables while a test runs.
func (s *Site[S]) Open() (store S, err error) {
	s.failAt.Store(-1)
	s.db, err = badger.Open(badger.Config{Dir: s.dir, Format: s.driver.Format, MinFree: 1, Journal: 256 << 10, Fault: func(step badger.Step) error {
		if int32(step) == s.failAt.Load() {
			return errDisk
		}
		return nil
	}})
	if err != nil {
		return store, err
	}
	db := s.db
	store, err = s.driver.New(db, func() error {
		err := db.Close()
		if !s.t.Failed() && s.db == db {
			s.Fsck(nil)
		}
		return err
	})
	if err != nil {
		db.Close()
	}
	return store, err
}

// Crash copies the files of the open database, as a kill would leave them, and
// goes on with the copy.
func (s *Site[S]) Crash() error {
	to := filepath.Join(s.t.TempDir(), "copy")
	if err := storagetest.CopyLive(s.dir, to); err != nil {
		return err
	}
	// What it may still find wrong is about the files that were left behind.
	failed := s.db.Stats().Failed
	if err := s.db.Close(); err != nil && !failed && s.failAt.Load() < 0 {
		return err
	}
	s.dir = to
	s.Fsck(nil)
	return nil
}

// Steps implements [faults.Site].
func (s *Site[S]) Steps() int { return int(badger.StepSettled) + 1 }

// Fail implements [faults.Site].
func (s *Site[S]) Fail(step int) { s.failAt.Store(int32(step)) }

// Fsck checks the store, which is closed, and fails the test if it finds anything
// else than what is wanted.
func (s *Site[S]) Fsck(want []badger.Finding) badger.Summary {
	s.t.Helper()
	return Fsck(s.t, s.dir, s.driver.Format, s.driver.Check, want)
}

// Fsck checks the database in a directory, which is closed, and fails the test if
// it finds anything else than what is wanted.
func Fsck(t testing.TB, dir string, format badger.Format,
	check func(context.Context, *badger.DB, func(badger.Finding)) (badger.Summary, error), want []badger.Finding) badger.Summary {
	t.Helper()
	db, err := badger.Open(badger.Config{Dir: dir, Format: format, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got []badger.Finding
	summary, err := check(context.Background(), db, func(f badger.Finding) { got = append(got, f) })
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || int(summary.Findings) != len(got) {
		t.Fatalf("found %+v, want %+v", got, want)
	}
	for i := range got {
		if got[i].Kind != want[i].Kind || got[i].Problem != want[i].Problem {
			t.Fatalf("found %+v, want %+v", got, want)
		}
	}
	return summary
}
