package groups_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/badgertest"
	"github.com/pseudods/pseudods/storage/badger/groups"
	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
)

func TestStore(t *testing.T) {
	grouptest.Run(t, func(t *testing.T) grouptest.Site { return newSite(t) })
}

type store struct {
	*groups.Store
	close func() error
}

func (s store) Close() error { return s.close() }

func newSite(t testing.TB) *badgertest.Site[grouptest.Store] {
	return badgertest.NewSite(t, badgertest.Driver[grouptest.Store]{Format: groups.Format, Check: groups.CheckStructure, New: func(db *badger.DB, close func() error) (grouptest.Store, error) {
		return store{groups.New(db), close}, nil
	}})
}

// fsck checks a store and returns its findings, which are errors if want is nil.
func fsck(t testing.TB, dir string, want []badger.Finding) badger.Summary {
	t.Helper()
	return badgertest.Fsck(t, dir, groups.Format, groups.CheckStructure, want)
}

// TestDamagedMessage: a message of which a part is missing is an error, and one that was
// removed is not.
func TestDamagedMessage(t *testing.T) {
	s := newSite(t)
	open, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	group, lane := wire.GroupID{1}, ds.Lane{1}
	batch := &ds.Batch{Messages: []ds.Message{{Lane: lane, Parts: [][]byte{[]byte("one"), []byte("two"), []byte("three")}}}}
	if err := open.Commit(t.Context(), group, batch); err != nil {
		t.Fatal(err)
	}
	parts, _, err := s.DB().Scan([]byte{'o'}, nil, 0)
	if err != nil || len(parts) != 3 {
		t.Fatal(parts, err)
	}
	for _, c := range []struct {
		part int
		want error
	}{{1, groups.ErrCorrupt}, {0, nil}, {2, nil}} {
		remove := parts[c.part].Key
		if err := s.DB().Submit(t.Context(), func(tx *badger.Tx) error { tx.Delete(remove); return nil }); err != nil {
			t.Fatal(err)
		}
		if m, err := open.Message(t.Context(), group, lane, 1); m != nil || !errors.Is(err, c.want) {
			t.Fatalf("without part %d too: %+v, %v", c.part, m, err)
		}
	}
}
