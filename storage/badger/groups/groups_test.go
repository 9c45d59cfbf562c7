package groups_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
)

func TestStore(t *testing.T) {
	grouptest.Run(t, func(t *testing.T) grouptest.Site { return newSite(t) })
}

// site is a directory with a store.
type site struct {
	t      *testing.T
	dir    string
	open   *store
	failAt atomic.Int32 // a badger.Step, or -1
}

type store struct {
	*groups.Store
	db   *badger.DB
	site *site
}

// Close closes the store and checks what it leaves.
func (s *store) Close() error {
	err := s.db.Close()
	if !s.site.t.Failed() && s.site.open == s {
		fsck(s.site.t, s.site.dir, nil)
	}
	return err
}

// fsck checks a store and returns its findings, which are errors if want is nil.
func fsck(t testing.TB, dir string, want []badger.Finding) badger.Summary {
	t.Helper()
	db, err := badger.Open(badger.Config{Dir: dir, Format: groups.Format, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got []badger.Finding
	summary, err := groups.CheckStructure(context.Background(), db, func(f badger.Finding) { got = append(got, f) })
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

var errDisk = errors.New("disk failed")

func newSite(t *testing.T) *site { return &site{t: t, dir: filepath.Join(t.TempDir(), "db")} }

func (s *site) Open() (grouptest.Store, error) {
	s.failAt.Store(-1)
	db, err := badger.Open(badger.Config{Dir: s.dir, Format: groups.Format, MinFree: 1, Fault: func(step badger.Step) error {
		if int32(step) == s.failAt.Load() {
			return errDisk
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	s.open = &store{groups.New(db), db, s}
	return s.open, nil
}

// Crash copies the files of the open database, as a kill would leave them, and
// goes on with the copy.
func (s *site) Crash() error {
	to := filepath.Join(s.t.TempDir(), "copy")
	if err := storagetest.CopyLive(s.dir, to); err != nil {
		return err
	}
	if err := s.open.db.Close(); err != nil {
		return err
	}
	s.dir = to
	fsck(s.t, s.dir, nil)
	return nil
}

func (s *site) Steps() int    { return int(badger.StepDropped) + 1 }
func (s *site) Fail(step int) { s.failAt.Store(int32(step)) }
