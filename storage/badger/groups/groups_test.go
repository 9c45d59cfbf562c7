package groups_test

import (
	"testing"

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
